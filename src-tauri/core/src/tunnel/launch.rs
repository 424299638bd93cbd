//! How each kind of tunnel is started. The key goes in by a file of mode 0600 in a directory of mode 0700, never by
//! arguments; the file is removed as soon as the program has read it.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::config::{TunnelConfig, TunnelKind};
use crate::private_file;
use crate::programs::{Launch, Limits};

/// Begins the names of files with keys, so that one that was left by a crash is found.
const KEY_FILE: &str = "key-";

/// A tunnel that is ready to be started.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) launch: Launch,
    /// Holds the key until the program has read it.
    pub(super) key_file: Option<KeyFile>,
}

/// A file with a key; removed with this value.
#[derive(Debug)]
pub(super) struct KeyFile(PathBuf);

impl Drop for KeyFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::error!(%error, path = %self.0.display(), "a file with a key could not be removed");
        }
    }
}

/// Why a tunnel cannot even be started: code, and technical words.
pub(super) type Refused = (&'static str, String);

/// Makes the private directory, and removes key files that a crash has left.
///
/// # Errors
/// The file system's.
pub(super) fn clean(dir: &Path) -> std::io::Result<()> {
    private_file::create_folder(dir)?;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(KEY_FILE) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What to start for these settings, so that requests come to `listener`.
///
/// # Errors
/// [`Refused`].
pub(super) fn prepare(
    config: &TunnelConfig,
    key: Option<&SecretString>,
    listener: SocketAddr,
    dir: &Path,
) -> Result<Prepared, Refused> {
    clean(dir).map_err(unwritable)?;
    let port = listener.port();
    let addr = match listener.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        _ => listener,
    };
    let mut key_file = None;
    let args = match config.kind {
        TunnelKind::None => return Err(("tunnel_invalid", "no tunnel is chosen".to_owned())),
        TunnelKind::Cloudflared => {
            let metrics = format!("127.0.0.1:{}", free_port().map_err(unwritable)?);
            let mut args = words(&["tunnel", "--no-autoupdate", "--metrics", &metrics]);
            match key {
                Some(key) => {
                    let file = write_key(dir, key.expose_secret()).map_err(unwritable)?;
                    args.extend(words(&["run", "--token-file", &file.0.display().to_string()]));
                    key_file = Some(file);
                }
                None => args.extend(words(&["--url", &format!("http://{addr}")])),
            }
            args
        }
        TunnelKind::Ngrok => {
            let Some(key) = key else {
                return Err(("tunnel_token_missing", "ngrok needs the secret tunnel.token".to_owned()));
            };
            // Its own web page on port 4040 would show every request to whoever is on this machine.
            let file = format!(
                "version: \"2\"\nauthtoken: {}\nweb_addr: false\nupdate_check: false\nconsole_ui: false\n",
                serde_json::Value::from(key.expose_secret())
            );
            let file = write_key(dir, &file).map_err(unwritable)?;
            let mut args =
                words(&["http", &addr.to_string(), "--log", "stdout", "--log-format", "logfmt", "--config"]);
            args.push(file.0.display().to_string());
            if let Some(url) = &config.url {
                args.extend(words(&["--url", url]));
            }
            key_file = Some(file);
            args
        }
        TunnelKind::Ssh => ssh(config, addr, dir)?,
        TunnelKind::Command => Vec::new(),
    };
    let own = own_args(config, addr, key, dir, &mut key_file)?;
    // The destination of ssh ends its options.
    let args = if config.kind == TunnelKind::Ssh { [own, args].concat() } else { [args, own].concat() };
    let mut env = vec![("HOME".into(), dir.as_os_str().to_owned())];
    if let Some(socket) = config.ssh_agent_socket.as_ref().filter(|_| config.kind == TunnelKind::Ssh) {
        env.push(("SSH_AUTH_SOCK".into(), socket.into()));
    }
    let launch = Launch {
        program: program(config)?,
        args: args.into_iter().map(Into::into).collect(),
        env,
        dir: dir.to_owned(),
        limits: Limits::default(),
    };
    Ok(Prepared { launch, key_file })
}

fn program(config: &TunnelConfig) -> Result<PathBuf, Refused> {
    match (config.program.trim(), config.kind) {
        ("", TunnelKind::Command | TunnelKind::None) => {
            Err(("tunnel_invalid", "tunnel.program is not set".to_owned()))
        }
        ("", kind) => Ok(kind.as_str().into()),
        (program, _) => Ok(program.into()),
    }
}

/// The owner's arguments, filled in.
fn own_args(
    config: &TunnelConfig,
    addr: SocketAddr,
    key: Option<&SecretString>,
    dir: &Path,
    key_file: &mut Option<KeyFile>,
) -> Result<Vec<String>, Refused> {
    const FILE: &str = "{token_file}";
    if config.args.iter().any(|arg| arg.contains(FILE)) && key_file.is_none() {
        let Some(key) = key else {
            return Err(("tunnel_token_missing", "{token_file} needs the secret tunnel.token".to_owned()));
        };
        *key_file = Some(write_key(dir, key.expose_secret()).map_err(unwritable)?);
    }
    let path = key_file.as_ref().map(|file| file.0.display().to_string()).unwrap_or_default();
    let filled = |arg: &String| {
        arg.replace("{port}", &addr.port().to_string())
            .replace("{addr}", &addr.to_string())
            .replace(FILE, &path)
    };
    if let Some(key) = key
        && config.args.iter().any(|arg| arg.contains(key.expose_secret()))
    {
        let words = "tunnel.args holds the key itself; every program on this machine could read it there";
        return Err(("tunnel_invalid", words.to_owned()));
    }
    Ok(config.args.iter().map(filled).collect())
}

fn ssh(config: &TunnelConfig, addr: SocketAddr, dir: &Path) -> Result<Vec<String>, Refused> {
    let invalid = |what: &str| Err(("tunnel_invalid", what.to_owned()));
    let plain =
        |text: &str| !text.starts_with('-') && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let (host, user, remote) = (config.ssh_host.trim(), config.ssh_user.trim(), config.ssh_remote.trim());
    if host.is_empty() {
        return invalid("tunnel.ssh_host is not set");
    }
    if ![host, user, remote].into_iter().all(plain) || user.contains('@') {
        return invalid("tunnel.ssh_host, ssh_user and ssh_remote are names without spaces");
    }
    let port = remote.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    if port.is_none_or(|port| port == 0) {
        return invalid("tunnel.ssh_remote is PORT or ADDRESS:PORT");
    }
    let known_hosts =
        format!("UserKnownHostsFile={}", quoted(&dir.join("known_hosts").display().to_string()));
    let mut args = words(&["-F", "none", "-N", "-T"]);
    for option in [
        "BatchMode=yes",
        "ExitOnForwardFailure=yes",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=3",
        "ConnectTimeout=10",
        "StrictHostKeyChecking=accept-new",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        known_hosts.as_str(),
    ] {
        args.extend(words(&["-o", option]));
    }
    if let Some(key) = &config.ssh_key_file {
        args.extend(words(&["-i", key, "-o", "IdentitiesOnly=yes"]));
    }
    args.extend(words(&["-p", &config.ssh_port.to_string(), "-R", &format!("{remote}:{addr}"), "--"]));
    args.push(if user.is_empty() { host.to_owned() } else { format!("{user}@{host}") });
    Ok(args)
}

/// As ssh reads a path in an option: spaces need quotes, `%` doubles.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('%', "%%"))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn write_key(dir: &Path, text: &str) -> std::io::Result<KeyFile> {
    let path = dir.join(format!("{KEY_FILE}{:016x}", rand::random::<u64>()));
    let mut file = private_file::create_new(&path)?;
    let key = KeyFile(path);
    file.write_all(text.as_bytes())?;
    Ok(key)
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[allow(clippy::needless_pass_by_value)] // as map_err hands it over
fn unwritable(error: std::io::Error) -> Refused {
    ("tunnel_not_started", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "canary-tunnel-key-0123456789";

    fn prepared(config: &TunnelConfig, dir: &Path) -> Result<Prepared, Refused> {
        prepare(config, Some(&KEY.to_owned().into()), "127.0.0.1:8686".parse().unwrap(), dir)
    }

    fn args(prepared: &Prepared) -> String {
        let args: Vec<_> =
            prepared.launch.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        args.join(" ")
    }

    #[test]
    fn a_key_is_in_a_file_of_its_owner_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("tunnel");
        let own =
            vec!["--key".to_owned(), "{token_file}".to_owned(), "{addr}".to_owned(), "{port}".to_owned()];
        for (kind, args_of_owner) in [
            (TunnelKind::Cloudflared, Vec::new()),
            (TunnelKind::Ngrok, Vec::new()),
            (TunnelKind::Command, own),
        ] {
            let config = TunnelConfig {
                kind,
                program: "prog".to_owned(),
                args: args_of_owner,
                ..TunnelConfig::default()
            };
            let ready = prepared(&config, &place).unwrap();
            let said = format!("{:?}", ready.launch);
            assert!(!said.contains("canary"), "{said}");
            let file = ready.key_file.as_ref().unwrap().0.clone();
            assert!(args(&ready).contains(&file.display().to_string()));
            assert!(std::fs::read_to_string(&file).unwrap().contains(KEY));
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt;
                assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
                assert_eq!(std::fs::metadata(&place).unwrap().mode() & 0o777, 0o700);
            }
            drop(ready);
            assert!(!file.exists(), "it is gone with the value");
        }
    }

    #[test]
    fn what_a_crash_has_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key-0123"), KEY).unwrap();
        std::fs::write(dir.path().join("known_hosts"), "").unwrap();
        clean(dir.path()).unwrap();
        assert!(!dir.path().join("key-0123").exists() && dir.path().join("known_hosts").exists());
    }

    #[test]
    fn nothing_that_is_entered_becomes_an_option_of_ssh() {
        let dir = tempfile::tempdir().unwrap();
        let good = TunnelConfig {
            kind: TunnelKind::Ssh,
            ssh_host: "server.example".to_owned(),
            ssh_user: "shop".to_owned(),
            ..TunnelConfig::default()
        };
        let line = args(&prepared(&good, dir.path()).unwrap());
        assert!(line.ends_with("-R 8686:127.0.0.1:8686 -- shop@server.example"), "{line}");
        for option in
            ["ExitOnForwardFailure=yes", "BatchMode=yes", "ServerAliveInterval=15", "ServerAliveCountMax=3"]
        {
            assert!(line.contains(option), "{option}");
        }
        for (host, user, remote) in [
            ("", "", "8686"),
            ("-oProxyCommand=id", "", "8686"),
            ("a b", "", "8686"),
            ("server", "-l root", "8686"),
            ("server", "", "-R 1:2"),
            ("server", "", "web"),
            ("server", "", "0"),
        ] {
            let wrong = TunnelConfig {
                ssh_host: host.to_owned(),
                ssh_user: user.to_owned(),
                ssh_remote: remote.to_owned(),
                ..good.clone()
            };
            assert_eq!(
                prepared(&wrong, dir.path()).unwrap_err().0,
                "tunnel_invalid",
                "{host} {user} {remote}"
            );
        }
    }

    #[test]
    fn a_key_among_the_arguments_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let config = TunnelConfig {
            kind: TunnelKind::Command,
            program: "prog".to_owned(),
            args: vec![format!("--token={KEY}")],
            ..TunnelConfig::default()
        };
        let (code, words) = prepared(&config, dir.path()).unwrap_err();
        assert_eq!(code, "tunnel_invalid");
        assert!(!words.contains(KEY));
    }
}
