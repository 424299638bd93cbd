//! A real nginx for one test: own directory, own port, stopped at the end.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// How often another port is tried when somebody else was faster.
const TRIES: usize = 10;

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    dir: TempDir,
    child: Child,
    /// On 127.0.0.1.
    pub port: u16,
}

impl Nginx {
    /// Serves `root`; `server` is put into the `server` block. Returns once it accepts connections.
    ///
    /// # Errors
    /// When nginx is not installed or does not take the configuration.
    pub fn start(root: &Path, server: &str) -> Result<Self> {
        for _ in 0..TRIES {
            let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            if let Some(nginx) = Self::start_on(port, root, server)? {
                return Ok(nginx);
            }
        }
        bail!("nginx found no free port")
    }

    fn start_on(port: u16, root: &Path, server: &str) -> Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        let at = dir.path().display();
        let as_root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
        let user = if as_root { "user root root;" } else { "" };
        let config = format!(
            "{user} daemon off; worker_processes 1; pid {at}/pid; error_log stderr notice;
             events {{ worker_connections 256; }}
             http {{
               log_format requests '$request_uri $status range=$http_range if_range=$http_if_range sent=$body_bytes_sent';
               access_log {at}/access.log requests;
               client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
               uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
               server {{ listen 127.0.0.1:{port}; root {root}; charset utf-8; {server} }}
             }}",
            root = root.display()
        );
        std::fs::write(dir.path().join("nginx.conf"), config)?;
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let mut child = Command::new(program)
            .args(["-e", "stderr", "-p"])
            .arg(dir.path())
            .args(["-c", "nginx.conf"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("nginx cannot be started; is it installed?")?;
        let mut output = BufReader::new(child.stderr.take().context("piped")?);
        let mut seen = String::new();
        loop {
            let start = seen.len();
            if output.read_line(&mut seen)? == 0 {
                child.wait()?;
                if seen.contains("Address already in use") {
                    return Ok(None);
                }
                bail!("nginx does not start: {seen}");
            }
            if seen[start..].contains("start worker process") {
                break;
            }
        }
        // Somebody has to read on, or nginx stops when the pipe is full.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(Some(Self { dir, child, port }))
    }

    /// The URL of `path`, which begins with a slash and is encoded already.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Stops nginx when all its answers are out, and gives one line per request:
    /// `URI STATUS range=… if_range=… sent=BYTES`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn requests(mut self) -> Result<Vec<String>> {
        self.signal("-QUIT");
        let text = std::fs::read_to_string(self.dir.path().join("access.log"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn signal(&mut self, signal: &str) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.signal("-TERM");
    }
}
