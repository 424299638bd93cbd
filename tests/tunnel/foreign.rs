//! Tunnels of other people: OpenSSH against a server of the test's own, and bore.

#![allow(clippy::unwrap_used)] // a test may stop anywhere
#![cfg(unix)]

#[allow(dead_code)] // what only the other tests of tunnels need
mod pace;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::{Value, json};

use pace::Pace;

const RIGHT: i64 = 35_000;
const BACK: i64 = 15_000;

/// How the public address stands.
async fn tunnel(shop: &TestShop) -> Value {
    let (status, tunnel) = shop.admin("GET", "/admin/api/tunnel", None).await;
    assert_eq!(status, 200, "{tunnel}");
    tunnel
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn text_of(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
}

/// An SSH server with keys of its own, for the account that runs the test.
struct Sshd {
    dir: tempfile::TempDir,
    port: u16,
    listener: Option<Child>,
}

impl Sshd {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut sshd = Self { dir, port: free_port(), listener: None };
        for key in ["host", "user"] {
            sshd.make_key(key);
        }
        sshd.let_in(true);
        // As root it wants a directory of its own.
        let _ = std::fs::create_dir("/run/sshd");
        sshd.start().await;
        sshd
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn make_key(&self, name: &str) {
        let _ = std::fs::remove_file(self.path(name));
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(self.path(name));
        assert!(keygen.status().unwrap().success());
    }

    fn let_in(&self, yes: bool) {
        let key = std::fs::read_to_string(self.path("user.pub")).unwrap();
        std::fs::write(self.path("authorized_keys"), if yes { key } else { String::new() }).unwrap();
    }

    async fn start(&mut self) {
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nAuthorizedKeysFile {}\nStrictModes no\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             AllowTcpForwarding yes\nGatewayPorts no\n",
            self.port,
            self.path("host").display(),
            self.path("authorized_keys").display()
        );
        std::fs::write(self.path("config"), config).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"]).arg(self.path("config")).stdin(Stdio::null()).stderr(log);
        self.listener = Some(sshd.spawn().unwrap());
        let ready = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let ready = tokio::time::timeout(std::time::Duration::from_secs(20), ready).await;
        ready.unwrap_or_else(|_| panic!("{}", std::fs::read_to_string(self.path("log")).unwrap()));
    }

    fn stop(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            let _ = listener.kill();
            let _ = listener.wait();
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The running program among whose arguments is `mark`.
fn process_with(mark: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find(|pid| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.starts_with(b"ssh") && String::from_utf8_lossy(&arguments).contains(mark)
    })
}

fn signal(pid: u32, signal: &str) {
    assert!(Command::new("/bin/kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_by_ssh_comes_up_is_replaced_and_says_what_is_wrong() {
    let mut sshd = Sshd::open().await;
    let (remote, pace) = (free_port(), Pace::default());
    let env = vec![
        ("CHOTDON_TUNNEL__KIND", "ssh".to_owned()),
        ("CHOTDON_TUNNEL__URL", format!("http://127.0.0.1:{remote}")),
        ("CHOTDON_TUNNEL__SSH_HOST", "127.0.0.1".to_owned()),
        ("CHOTDON_TUNNEL__SSH_PORT", sshd.port.to_string()),
        ("CHOTDON_TUNNEL__SSH_USER", text_of(Command::new("id").arg("-un"))),
        ("CHOTDON_TUNNEL__SSH_KEY_FILE", sshd.path("user").display().to_string()),
        ("CHOTDON_TUNNEL__SSH_REMOTE", format!("127.0.0.1:{remote}")),
    ];
    let shop = TestShop::on(Ground::new(), Setup { env, probe: pace.probe() }).await;
    let mark = format!("127.0.0.1:{remote}:{}", shop.shop.public_addr());
    let (_, up) = pace.until_state(&shop, "up").await;
    assert!(up["output"].to_string().contains("Permanently added"), "a new server is told: {up}");
    let answer = shop.http.get(format!("http://127.0.0.1:{remote}/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 200);

    signal(process_with(&mark).unwrap(), "-KILL");
    pace.until_state(&shop, "down").await;
    let (took, _) = pace.until_state(&shop, "up").await;
    assert!(took <= BACK, "{took} ms");

    let hanging = process_with(&mark).unwrap();
    signal(hanging, "-STOP");
    let (took, _) = pace.until_state(&shop, "down").await;
    assert!(took <= RIGHT, "{took} ms");
    let (took, _) = pace.until_state(&shop, "up").await;
    assert!(took <= BACK, "{took} ms");
    assert!(!Path::new(&format!("/proc/{hanging}/cmdline")).exists());

    let down_for = async |reason: &str| {
        let (status, _) = shop.admin("POST", "/admin/api/tunnel/restart", Some(json!({}))).await;
        assert_eq!(status, 200);
        let (took, _) = pace.until(&shop, |now| now["state"] == "down" && now["reason"] == reason).await;
        assert!(took <= RIGHT, "{took} ms");
    };
    // Nobody listens there: the server was switched off, and is on again.
    sshd.stop();
    down_for("tunnel_server_unreachable").await;
    sshd.start().await;
    let (took, _) = pace.until_state(&shop, "up").await;
    assert!(took <= BACK, "{took} ms");

    sshd.let_in(false);
    down_for("tunnel_ssh_denied").await;
    sshd.let_in(true);
    sshd.stop();
    sshd.make_key("host");
    sshd.start().await;
    down_for("tunnel_ssh_host_key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_by_bore_comes_up_as_a_command_of_the_owners() {
    let server = bore_cli::server::Server::new(1_024..=65_535, None);
    let listening = tokio::spawn(server.listen());
    let (remote, pace) = (free_port(), Pace::default());
    let env = vec![
        ("CHOTDON_TUNNEL__KIND", "command".to_owned()),
        ("CHOTDON_TUNNEL__PROGRAM", env!("CARGO_BIN_EXE_bore").to_owned()),
        ("CHOTDON_TUNNEL__ARGS", format!("local,{{port}},--to,127.0.0.1,--port,{remote}")),
        ("CHOTDON_TUNNEL__URL", format!("http://127.0.0.1:{remote}")),
    ];
    let shop = TestShop::on(Ground::new(), Setup { env, probe: pace.probe() }).await;
    let (_, up) = pace.until_state(&shop, "up").await;
    assert!(up["output"].to_string().contains("listening at"), "{up}");
    let answer = shop.http.get(format!("http://127.0.0.1:{remote}/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    listening.abort();
}
