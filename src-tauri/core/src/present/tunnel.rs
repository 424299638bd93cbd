//! The way from the internet to the shop.

use super::rfc3339;
use crate::config::{Config, TunnelKind};
use crate::tunnel::Tunnel;
use crate::views::{self, TunnelLine, TunnelMoment, TunnelSettings, Woke};

/// The public address as it is now.
pub(crate) fn tunnel(
    tunnel: &Tunnel,
    config: &Config,
    webhook_url: String,
    woke: Option<Woke>,
) -> views::Tunnel {
    let state = tunnel.state();
    let fixed = config.tunnel.url.is_some();
    let temporary = match state.kind {
        TunnelKind::Cloudflared => !fixed && state.public_url != base_url(config),
        TunnelKind::None | TunnelKind::Ngrok | TunnelKind::Ssh | TunnelKind::Command => false,
    };
    views::Tunnel {
        kind: state.kind.as_str().to_owned(),
        state: state.state.as_str().to_owned(),
        reason: state.reason.map(str::to_owned),
        detail: state.detail,
        since: rfc3339(state.since),
        temporary: temporary && state.public_url.is_some(),
        public_url: state.public_url,
        webhook_url,
        reached_at: state.reached_at.map(rfc3339),
        certificate_until: state.certificate_until.map(rfc3339),
        restarts: state.restarts,
        round_trip_at: tunnel.round_trip().map(|trip| rfc3339(trip.at)),
        output: tunnel
            .output()
            .into_iter()
            .map(|said| TunnelLine { at: rfc3339(said.at), text: said.text })
            .collect(),
        history: tunnel
            .past()
            .into_iter()
            .map(|moment| TunnelMoment {
                at: rfc3339(moment.at),
                state: moment.state.as_str().to_owned(),
                reason: moment.reason.map(str::to_owned),
            })
            .collect(),
        woke,
    }
}

fn base_url(config: &Config) -> Option<String> {
    config.public.base_url.as_ref().map(|url| url.trim_end_matches('/').to_owned())
}

/// Section `tunnel` of the settings.
pub(crate) fn tunnel_settings(config: &Config) -> TunnelSettings {
    let tunnel = &config.tunnel;
    TunnelSettings {
        kind: tunnel.kind.as_str().to_owned(),
        url: tunnel.url.clone(),
        base_url: config.public.base_url.clone(),
        program: tunnel.program.clone(),
        args: tunnel.args.clone(),
        url_hint: tunnel.url_hint.clone(),
        ssh_host: tunnel.ssh_host.clone(),
        ssh_port: tunnel.ssh_port,
        ssh_user: tunnel.ssh_user.clone(),
        ssh_key_file: tunnel.ssh_key_file.clone(),
        ssh_agent_socket: tunnel.ssh_agent_socket.clone(),
        ssh_remote: tunnel.ssh_remote.clone(),
        check_every_s: tunnel.check_every_s,
    }
}
