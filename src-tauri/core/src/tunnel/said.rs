//! What the lines of a tunnel's program mean: its address, that it is connected, or why it cannot be.

use url::Url;

use crate::config::TunnelKind;

/// What one line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The public address, without a slash at the end.
    Url(String),
    /// It is connected.
    Ready,
    /// Why it does not work: a code for the UI's catalogue.
    Trouble(&'static str),
}

/// Parts of lines, in lower case, and what they mean.
type Marks = &'static [(&'static str, &'static str)];

const CLOUDFLARED: Marks = &[
    ("flag provided but not defined", "tunnel_program_too_old"),
    ("token is not valid", "tunnel_wrong_token"),
    ("invalid tunnel secret", "tunnel_wrong_token"),
    ("unauthorized:", "tunnel_wrong_token"),
    ("failed to get tunnel", "tunnel_wrong_token"),
    ("no such host", "tunnel_server_unreachable"),
    ("network is unreachable", "tunnel_server_unreachable"),
    ("failed to dial to edge", "tunnel_server_unreachable"),
    ("no recent network activity", "tunnel_server_unreachable"),
];
const NGROK: Marks = &[
    ("err_ngrok_4018", "tunnel_token_missing"),
    ("err_ngrok_105", "tunnel_wrong_token"),
    ("err_ngrok_106", "tunnel_wrong_token"),
    ("err_ngrok_107", "tunnel_wrong_token"),
    ("authentication failed", "tunnel_wrong_token"),
    ("err_ngrok_334", "tunnel_address_taken"),
    ("err_ngrok_108", "tunnel_address_taken"),
    ("err_ngrok_121", "tunnel_program_too_old"),
    ("failed to dial ngrok server", "tunnel_server_unreachable"),
    ("no such host", "tunnel_server_unreachable"),
];
const SSH: Marks = &[
    ("permission denied", "tunnel_ssh_denied"),
    ("too many authentication failures", "tunnel_ssh_denied"),
    ("host key verification failed", "tunnel_ssh_host_key"),
    ("remote host identification has changed", "tunnel_ssh_host_key"),
    ("remote port forwarding failed", "tunnel_address_taken"),
    ("could not resolve hostname", "tunnel_server_unreachable"),
    ("connection refused", "tunnel_server_unreachable"),
    ("connection timed out", "tunnel_server_unreachable"),
    ("network is unreachable", "tunnel_server_unreachable"),
    ("no route to host", "tunnel_server_unreachable"),
    ("connection reset", "tunnel_server_unreachable"),
    ("connection closed by", "tunnel_server_unreachable"),
    ("not responding", "tunnel_server_unreachable"),
    ("broken pipe", "tunnel_server_unreachable"),
];

/// What `line` means when a tunnel of this kind says it. `hint` narrows down the address of a command.
pub(super) fn meaning(kind: TunnelKind, hint: Option<&str>, line: &str) -> Option<Meaning> {
    let lower = line.to_lowercase();
    let known = |marks: Marks| {
        let found = marks.iter().find(|(mark, _)| lower.contains(mark));
        found.map(|(_, code)| Meaning::Trouble(code))
    };
    match kind {
        TunnelKind::None => None,
        TunnelKind::Cloudflared if lower.contains("registered tunnel connection") => Some(Meaning::Ready),
        // The address of a quick tunnel stands alone in a frame.
        TunnelKind::Cloudflared => known(CLOUDFLARED).or_else(|| {
            let framed = line.split('|').nth(1)?.trim();
            framed.starts_with("http").then(|| first_url(framed, |_| true)).flatten()
        }),
        TunnelKind::Ngrok if lower.contains("started tunnel") => {
            let at = line.find("url=")?;
            first_url(&line[at..], |_| true)
        }
        TunnelKind::Ngrok => known(NGROK),
        TunnelKind::Ssh => known(SSH),
        TunnelKind::Command => match hint {
            Some(hint) => first_url(line, |url| url.contains(hint)),
            None => first_url(line, |url| url.starts_with("https://")),
        },
    }
}

fn first_url(line: &str, counts: impl Fn(&str) -> bool) -> Option<Meaning> {
    let mut rest = line;
    while let Some(at) = [rest.find("https://"), rest.find("http://")].into_iter().flatten().min() {
        rest = &rest[at..];
        let end = rest.find(|c: char| c.is_whitespace() || "\"'|,)<>\\`".contains(c)).unwrap_or(rest.len());
        let found = rest[..end].trim_end_matches(['.', '/', ';', ':']);
        if Url::parse(found).is_ok_and(|url| url.has_host()) && counts(found) {
            return Some(Meaning::Url(found.to_owned()));
        }
        rest = &rest[end.max(1)..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: TunnelKind, line: &str) -> Option<Meaning> {
        meaning(kind, None, line)
    }

    #[test]
    fn addresses_are_read_where_the_programs_say_them() {
        let url = |url: &str| Some(Meaning::Url(url.to_owned()));
        use TunnelKind::{Cloudflared, Command, Ngrok};
        for (kind, line, expected) in [
            (
                Cloudflared,
                "2026-11-22T01:00:00Z INF |  https://seasonal-deck-organisms-sf.trycloudflare.com                        |",
                url("https://seasonal-deck-organisms-sf.trycloudflare.com"),
            ),
            (
                Cloudflared,
                "INF |  Your quick Tunnel has been created! Visit it at (it may take some time):  |",
                None,
            ),
            (
                Cloudflared,
                "INF Thank you for trying; see https://developers.cloudflare.com/tunnel for more",
                None,
            ),
            (
                Ngrok,
                "t=2026-11-22T08:00:00+0700 lvl=info msg=\"started tunnel\" obj=tunnels name=command_line addr=http://127.0.0.1:8686 url=https://an-shop.ngrok-free.app",
                url("https://an-shop.ngrok-free.app"),
            ),
            (Ngrok, "lvl=info msg=\"client session established\" obj=tunnels.session", None),
            (Command, "your url is: https://an.loca.lt/", url("https://an.loca.lt")),
            (Command, "forwarding http://127.0.0.1:8686 to https://an.example.", url("https://an.example")),
            (Command, "listening at bore.example:31234", None),
        ] {
            assert_eq!(of(kind, line), expected, "{line}");
        }
        let hinted =
            meaning(Command, Some("bore"), "see https://docs.example, then http://bore.example:31234");
        assert_eq!(hinted, url("http://bore.example:31234"));
    }

    #[test]
    fn troubles_have_codes() {
        use TunnelKind::{Cloudflared, Ngrok, Ssh};
        for (kind, line, code) in [
            (Cloudflared, "Provided Tunnel token is not valid.", "tunnel_wrong_token"),
            (
                Cloudflared,
                "ERR Register tunnel error from server side error=\"Unauthorized: Invalid tunnel secret\"",
                "tunnel_wrong_token",
            ),
            (
                Cloudflared,
                "Incorrect Usage: flag provided but not defined: -token-file",
                "tunnel_program_too_old",
            ),
            (
                Ngrok,
                "ERROR:  authentication failed: The authtoken you specified is not valid. ERR_NGROK_105",
                "tunnel_wrong_token",
            ),
            (Ssh, "shop@server: Permission denied (publickey).", "tunnel_ssh_denied"),
            (Ssh, "Host key verification failed.", "tunnel_ssh_host_key"),
            (Ssh, "Error: remote port forwarding failed for listen port 8686", "tunnel_address_taken"),
            (Ssh, "ssh: connect to host server port 22: Connection refused", "tunnel_server_unreachable"),
        ] {
            assert_eq!(of(kind, line), Some(Meaning::Trouble(code)), "{line}");
        }
        assert_eq!(of(Cloudflared, "INF Registered tunnel connection connIndex=0"), Some(Meaning::Ready));
    }
}
