//! Requests to one source: its own host only, redirects followed by hand, answers sorted into error classes.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::ports::Clock;
use crate::workers::{StageContext, StageError};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest silence of a server that owes us bytes.
const READ_TIMEOUT: Duration = Duration::from_secs(45);
/// Redirects followed on one host.
const MAX_REDIRECTS: usize = 5;
/// Longest wait a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The HTTP client of all sources. Cheap to clone; one per program.
#[derive(Debug, Clone)]
pub struct HttpSource {
    client: Arc<RwLock<Client>>,
}

impl HttpSource {
    /// A client that connects within 20 s and gives up after 45 s of silence.
    ///
    /// # Errors
    /// `internal` when the machine's TLS cannot be set up.
    pub fn new() -> Result<Self, StageError> {
        Ok(Self { client: Arc::new(RwLock::new(Self::client()?)) })
    }

    /// Leaves every connection alone that was made so far: after a sleep their other ends may be gone without a word.
    /// What is being fetched over one goes on as it can.
    ///
    /// # Errors
    /// As [`HttpSource::new`]; the connections are kept then.
    pub fn forget_connections(&self) -> Result<(), StageError> {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Self::client()?;
        Ok(())
    }

    fn client() -> Result<Client, StageError> {
        Client::builder()
            .user_agent(concat!("ChotDon/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|e| StageError::permanent("internal", format!("no HTTP client: {e}")))
    }

    pub(super) fn session(&self, cx: &StageContext, home: Url, secret: Option<SecretString>) -> Session {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner).clone();
        Session { cx: cx.clone(), client, home, secret }
    }
}

/// One source while it is fetched.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) cx: StageContext,
    client: Client,
    /// URL of the manifest; only its host is talked to.
    pub(super) home: Url,
    secret: Option<SecretString>,
}

impl Session {
    /// Gets `url`, following redirects on the host. Any status that is not an error is answered as it came.
    pub(super) async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Response, StageError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.check_host(&url)?;
            let mut request = self
                .client
                .get(url.clone())
                .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
                .headers(headers.clone());
            if let Some(secret) = &self.secret {
                request = request.bearer_auth(secret.expose_secret());
            }
            let response = self.wait(request.send()).await?.map_err(|e| unreachable_error(e, &url))?;
            match location(&response) {
                Some(target) => {
                    url = url.join(target).map_err(|e| invalid(format!("{url} redirects to no URL: {e}")))?;
                }
                None => return self.sort(response, &url),
            }
        }
        Err(invalid(format!("{} redirects too often", shown(&url))))
    }

    /// Waits for `work` unless the stage is to stop.
    pub(super) async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, StageError> {
        tokio::select! {
            biased;
            () = self.cx.cancel.cancelled() => Err(StageError::transient("cancelled", "stopped before it was finished")),
            result = work => Ok(result),
        }
    }

    /// Refuses other hosts, and the way from `https` back to `http`.
    pub(super) fn check_host(&self, url: &Url) -> Result<(), StageError> {
        let home = &self.home;
        let upgrade = home.scheme() == "http"
            && home.port().is_none()
            && url.scheme() == "https"
            && url.port().is_none();
        let same =
            home.scheme() == url.scheme() && home.port_or_known_default() == url.port_or_known_default();
        if url.host_str() != home.host_str() || !(same || upgrade) {
            return Err(invalid(format!("{} is not on the manifest's own host", shown(url))));
        }
        Ok(())
    }

    fn sort(&self, response: Response, url: &Url) -> Result<Response, StageError> {
        let status = response.status();
        let detail = format!("{} answered {status}", shown(url));
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                match response.headers().get(header::CONTENT_ENCODING) {
                    Some(coding) if coding != "identity" => {
                        Err(invalid(format!("{} is sent compressed", shown(url))))
                    }
                    _ => Ok(response),
                }
            }
            StatusCode::NOT_MODIFIED | StatusCode::RANGE_NOT_SATISFIABLE => Ok(response),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(StageError::permanent("source_not_found", detail))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(StageError::permanent("source_unauthorized", detail))
            }
            _ if status.is_server_error()
                || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) =>
            {
                let wish = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
                let wish = wish.and_then(|text| retry_after(text, self.cx.clock().as_ref()));
                Err(StageError::transient("source_server_error", detail).after(wish))
            }
            _ => Err(invalid(detail)),
        }
    }
}

fn location(response: &Response) -> Option<&str> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if redirects { response.headers().get(header::LOCATION)?.to_str().ok() } else { None }
}

/// RFC 9110 §10.2.3: seconds or an HTTP date; at most a day.
fn retry_after(text: &str, clock: &dyn Clock) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::from_millis(u64::try_from(at.as_millisecond() - clock.now_ms()).unwrap_or(0))
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// A header that is ASCII text.
pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The error of a request or body that broke off.
pub(super) fn unreachable_error(error: reqwest::Error, url: &Url) -> StageError {
    let mut detail = shown(url);
    let error = error.without_url();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        detail.push_str(": ");
        detail.push_str(&error.to_string());
        cause = error.source();
    }
    StageError::transient("source_unreachable", detail)
}

pub(super) fn invalid(detail: String) -> StageError {
    StageError::permanent("source_invalid", detail)
}

/// A URL for error texts: the query may hold a signature.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::*;

    struct Fixed(i64);
    impl Clock for Fixed {
        fn now_ms(&self) -> i64 {
            self.0
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(async {})
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_a_day() {
        let clock = Fixed(784_111_777_000); // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(retry_after("120", &clock), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", &clock), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", &clock), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999", &clock), Some(MAX_RETRY_AFTER));
        assert_eq!(retry_after("soon", &clock), None);
    }
}
