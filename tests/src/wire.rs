//! HTTP/1.1 by hand on one connection: as fast as a load needs, and able to send what no client library would.
//! It sends exactly the bytes it is given and reads answers that say how long they are.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// One connection, kept alive from request to request.
pub struct Wire {
    stream: BufStream<TcpStream>,
    host: SocketAddr,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Answered {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// The system's.
    pub async fn open(host: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufStream::new(stream), host })
    }

    /// Sends a request whose `content-length` is right, and waits for its answer.
    ///
    /// # Errors
    /// When the other side hangs up, or answers without a length.
    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answered> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        self.stream.write_all(head.as_bytes()).await?;
        // A listener may answer and hang up before it has read a body that it does not want.
        let sent = async {
            self.stream.write_all(body).await?;
            self.stream.flush().await
        };
        let sent = sent.await;
        match self.answer().await {
            Ok(answered) => Ok(answered),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }

    /// Sends bytes as they are and hangs up our side; answers what came back, if anything.
    ///
    /// # Errors
    /// The system's.
    pub async fn say(mut self, bytes: &[u8]) -> io::Result<Option<Answered>> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        self.stream.get_mut().shutdown().await?;
        Ok(self.answer().await.ok())
    }

    async fn answer(&mut self) -> io::Result<Answered> {
        let mut line = String::new();
        self.line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {line:?}")))?;
        let mut length = None;
        loop {
            self.line(&mut line).await?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Answered { status, body })
    }

    async fn line(&mut self, line: &mut String) -> io::Result<()> {
        line.clear();
        if self.stream.read_line(line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(())
    }
}
