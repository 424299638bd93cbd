//! Requests byte for byte as a test writes them, on connections that are kept.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// A request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raw {
    pub(crate) method: String,
    pub(crate) target: String,
    /// `Host` among them.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        [text.into_bytes(), self.body.clone()].concat()
    }
}

/// What came back. Of an answer without end, only the head.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A line to a listener; connects anew when the other side hung up.
pub(crate) struct Line {
    at: SocketAddr,
    stream: Option<BufStream<TcpStream>>,
}

impl Line {
    pub(crate) fn to(at: SocketAddr) -> Self {
        Self { at, stream: None }
    }

    pub(crate) async fn ask(&mut self, request: &Raw) -> io::Result<Answer> {
        let kept = self.stream.is_some();
        match self.once(request).await {
            // A kept connection may have been closed meanwhile.
            Err(_) if kept => {
                self.stream = None;
                self.once(request).await
            }
            answered => answered,
        }
    }

    async fn once(&mut self, request: &Raw) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.at).await?;
                stream.set_nodelay(true)?;
                BufStream::new(stream)
            }
        };
        stream.write_all(&request.bytes()).await?;
        stream.flush().await?;
        let (answer, keeps) = read(&mut stream, request.method == "HEAD").await?;
        if keeps {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// Reads one answer; whether the connection can be used again.
pub(crate) async fn read(stream: &mut BufStream<TcpStream>, head: bool) -> io::Result<(Answer, bool)> {
    let first = line(stream).await?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status: u16 = status.ok_or_else(|| io::Error::other(format!("no status in {first:?}")))?;
    let mut headers = Vec::new();
    loop {
        let text = line(stream).await?;
        let Some((name, value)) = text.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    let mut keeps = answer.header("connection") != Some("close");
    let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let endless = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    if head || status == 204 || status == 304 {
        return Ok((answer, keeps));
    }
    match length {
        Some(length) => {
            answer.body = vec![0; length];
            stream.read_exact(&mut answer.body).await?;
        }
        None if endless => keeps = false,
        None => loop {
            let size = usize::from_str_radix(&line(stream).await?, 16).map_err(io::Error::other)?;
            let start = answer.body.len();
            answer.body.resize(start + size, 0);
            stream.read_exact(&mut answer.body[start..]).await?;
            line(stream).await?;
            if size == 0 {
                break;
            }
        },
    }
    Ok((answer, keeps))
}

async fn line(stream: &mut BufStream<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    if stream.read_line(&mut text).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}
