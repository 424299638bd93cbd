//! Child processes: each step runs in a process group of its own that never outlives this program,
//! whatever ends it. A small shell waits on a pipe held by this program and ends the group when it closes.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How a step ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// Its time ran out; the whole group was ended.
    TimedOut,
}

impl Ending {
    /// True when it ended by itself and with code 0.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self, Self::Exited(status) if status.success())
    }
}

/// Which of its two streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

enum Message {
    Line(Stream, String),
    Exited(io::Result<ExitStatus>),
}

/// Runs `command`, hands each line to `on_line`, and ends its whole group after `limit`.
pub(crate) fn stream(
    command: &mut Command,
    limit: Duration,
    mut on_line: impl FnMut(Stream, &str),
) -> Result<Ending> {
    let ends_at = Instant::now() + limit;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let name = command.get_program().to_string_lossy().into_owned();
    let (mut child, group) =
        Group::spawn(command, Duration::from_secs(5)).with_context(|| format!("starting {name}"))?;
    let (sender, receiver) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        read_lines(out, Stream::Out, sender.clone());
    }
    if let Some(err) = child.stderr.take() {
        read_lines(err, Stream::Err, sender.clone());
    }
    thread::spawn(move || sender.send(Message::Exited(child.wait())));

    let mut exited = None;
    // Dropping the group closes the pipes of whatever the child left running, which ends the loop.
    let mut group = Some(group);
    loop {
        match receiver.recv_timeout(ends_at.saturating_duration_since(Instant::now())) {
            Ok(Message::Line(stream, line)) => on_line(stream, &line),
            Ok(Message::Exited(status)) => {
                exited = Some(status?);
                drop(group.take());
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                drop(group.take());
                return Ok(exited.map_or(Ending::TimedOut, Ending::Exited));
            }
        }
    }
    Ok(exited.map_or(Ending::TimedOut, Ending::Exited))
}

/// Runs `command` with this program's own output; fails unless it succeeds.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let ending = stream(command, Duration::from_secs(3600), pass_through)?;
    match ending {
        Ending::Exited(status) if status.success() => Ok(()),
        Ending::Exited(status) => bail!("`{shown}` ended with {status}"),
        Ending::TimedOut => bail!("`{shown}` did not end within an hour"),
    }
}

/// Standard output of `command`; fails, with its standard error, unless it succeeds.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// True when `command` can be started and succeeds; its output is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Prints a line where it came from.
pub(crate) fn pass_through(stream: Stream, line: &str) {
    match stream {
        Stream::Out => println!("{line}"),
        Stream::Err => eprintln!("{line}"),
    }
}

/// The command as one would type it, without its environment.
pub(crate) fn show(command: &Command) -> String {
    let mut shown = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

fn read_lines(from: impl Read + Send + 'static, stream: Stream, to: Sender<Message>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            if to.send(Message::Line(stream, line)).is_err() {
                return;
            }
        }
    });
}

/// A process group that is ended when this value is dropped or this program dies.
#[derive(Debug)]
pub(crate) struct Group {
    #[cfg(unix)]
    watchdog: Child,
    #[cfg(not(unix))]
    leader: u32,
}

/// Ends the group `$1`: politely, and after `$2` tenths of a second for good.
#[cfg(unix)]
const WATCHDOG: &str = r#"
read -r line
kill -s TERM -- "$1" 2>/dev/null || exit 0
n=0
while [ $n -lt "$2" ] && kill -s 0 -- "$1" 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
kill -s KILL -- "$1" 2>/dev/null
exit 0
"#;

impl Group {
    /// Starts `command` as the leader of a new group, which gets `patience` to end when it is asked to.
    #[cfg(unix)]
    pub(crate) fn spawn(command: &mut Command, patience: Duration) -> io::Result<(Child, Self)> {
        use std::os::unix::process::CommandExt;
        let child = command.process_group(0).spawn()?;
        let watchdog = Command::new("sh")
            .args([
                "-c",
                WATCHDOG,
                "watchdog",
                &format!("-{}", child.id()),
                &(patience.as_millis() / 100).to_string(),
            ])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok((child, Self { watchdog }))
    }

    /// Starts `command`; its descendants are ended by `taskkill`.
    #[cfg(not(unix))]
    pub(crate) fn spawn(command: &mut Command, _: Duration) -> io::Result<(Child, Self)> {
        let child = command.spawn()?;
        let leader = child.id();
        Ok((child, Self { leader }))
    }
}

impl Drop for Group {
    #[cfg(unix)]
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }

    #[cfg(not(unix))]
    fn drop(&mut self) {
        succeeds(Command::new("taskkill").args(["/T", "/F", "/PID", &self.leader.to_string()]));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_leaves_running_ends_with_it() {
        // The background sleep holds the pipe open: without the sweep this would last a minute.
        let started = Instant::now();
        let ending =
            stream(Command::new("sh").args(["-c", "sleep 60 &"]), Duration::from_secs(50), |_, _| {})
                .unwrap();
        assert!(ending.is_success());
        assert!(started.elapsed() < Duration::from_secs(40), "the group was not swept");
    }

    #[test]
    fn a_step_that_hangs_is_ended() {
        let ending = stream(Command::new("sleep").arg("60"), Duration::from_millis(50), |_, _| {}).unwrap();
        assert!(matches!(ending, Ending::TimedOut));
    }

    #[test]
    fn a_failure_is_an_error_and_a_success_is_not() {
        assert!(must(Command::new("sh").args(["-c", "exit 3"])).is_err());
        assert!(must(&mut Command::new("true")).is_ok());
    }
}
