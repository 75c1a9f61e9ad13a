//! HTTP calls that are not load: webhooks, the monitor on another machine, documents to convert.
//!
//! Owns the only client for them: trusted roots, proxies, timeouts, and error messages. Leaves to the callers what is
//! requested and what a response means. The only folder that knows `reqwest`. Invariants: a call blocks its thread, for no longer
//! than the timeout; a message never contains the URL, whose path or query is often the secret.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use reqwest::RequestBuilder;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use url::{ParseError, Url};

use crate::system::trusted_roots;
use crate::text::format_duration;

/// Longest answer that is read, in bytes, unless more is asked for.
const LONGEST_ANSWER: usize = 1 << 20;

/// How long an unused connection is kept. Nobody polls it between two calls, so nobody sees that the server closed it.
const IDLE: Duration = Duration::from_secs(2);

/// Which proxy calls go through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxies {
    /// None, whatever the environment says.
    Ignored,
    /// What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[cfg(feature = "cli")]
    Environment,
}

/// Makes one call at a time, on the thread of the caller.
pub(crate) struct Client {
    http: reqwest::Client,
    event_loop: Runtime,
    time_limit: Duration,
    longest: usize,
}

/// What came back, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Where it came from, after redirects.
    #[cfg(feature = "cli")]
    pub(crate) url: Url,
}

impl Client {
    /// A client whose calls take no longer than `time_limit`. Reads the system's roots of trust, asks nobody anything.
    ///
    /// # Errors
    /// When the system refuses what it needs.
    pub(crate) fn new(time_limit: Duration, proxies: Proxies) -> Result<Client, String> {
        let cannot = |error: &dyn Error| format!("cannot create an HTTP client: {error}");
        // A process-wide provider of cryptography would be a global that an embedding program may want to set.
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| cannot(&error))?
            .with_root_certificates(trusted_roots())
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("rhaid/", env!("CARGO_PKG_VERSION")))
            .timeout(time_limit)
            .pool_idle_timeout(IDLE);
        let http = if proxies == Proxies::Ignored { http.no_proxy() } else { http };
        let event_loop = Builder::new_current_thread().enable_all().build();
        Ok(Client {
            http: http.build().map_err(|error| cannot(&error))?,
            event_loop: event_loop.map_err(|error| cannot(&error))?,
            time_limit,
            longest: LONGEST_ANSWER,
        })
    }

    /// The same client for answers of up to so many bytes.
    #[cfg(feature = "cli")]
    pub(crate) fn with_longest(self, longest: usize) -> Client {
        Client { longest, ..self }
    }

    /// Asks for what is at `url`.
    ///
    /// # Errors
    /// When no whole answer came, with the reason.
    pub(crate) fn get(&self, url: &Url, authorization: Option<&HeaderValue>) -> Result<Reply, String> {
        let request = self.http.get(url.clone());
        self.send(match authorization {
            Some(value) => request.header(header::AUTHORIZATION, value),
            None => request,
        })
    }

    /// Posts JSON to `url`.
    ///
    /// # Errors
    /// When no whole answer came, with the reason.
    #[cfg(feature = "cli")]
    pub(crate) fn post_json(&self, url: &Url, json: String) -> Result<Reply, String> {
        self.post_json_as(url, None, json)
    }

    /// The same as somebody.
    ///
    /// # Errors
    /// As [`Client::post_json`].
    #[cfg(feature = "cli")]
    pub(crate) fn post_json_as(
        &self,
        url: &Url,
        authorization: Option<&HeaderValue>,
        json: String,
    ) -> Result<Reply, String> {
        let request = self.http.post(url.clone()).header(header::CONTENT_TYPE, "application/json").body(json);
        self.send(match authorization {
            Some(value) => request.header(header::AUTHORIZATION, value),
            None => request,
        })
    }

    fn send(&self, request: RequestBuilder) -> Result<Reply, String> {
        self.event_loop.block_on(async {
            let mut response = request.send().await.map_err(|error| self.reason(error))?;
            let mut answer = Reply {
                status: response.status().as_u16(),
                body: Vec::new(),
                #[cfg(feature = "cli")]
                url: response.url().clone(),
            };
            while let Some(chunk) = response.chunk().await.map_err(|error| self.reason(error))? {
                if answer.body.len() + chunk.len() > self.longest {
                    return Err(format!("the response is longer than {} bytes", self.longest));
                }
                answer.body.extend_from_slice(&chunk);
            }
            Ok(answer)
        })
    }

    /// The last cause of an error: those before it only say what was being done.
    fn reason(&self, error: reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("no response within {}", format_duration(self.time_limit));
        }
        let hint = if error.is_connect() { " (is a server running there?)" } else { "" };
        let error = error.without_url();
        let mut last: &dyn Error = &error;
        while let Some(cause) = last.source() {
            last = cause;
        }
        format!("{last}{hint}")
    }
}

/// Parses the URL of a service.
///
/// # Errors
/// When no call can be made to it, with the reason and what to write instead.
pub(crate) fn parse_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        // In `localhost:8090` and `10.0.0.7:8090` the parser sees a scheme or none.
        Ok(_) | Err(ParseError::RelativeUrlWithoutBase) if !text.contains("://") => {
            Err("start it with http:// or https://".to_owned())
        }
        Ok(_) => Err("its scheme must be http or https".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What a call with this limit says to a server that answers with these bytes and keeps the connection open.
    fn error(answer: Option<Vec<u8>>, time_limit: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url =
            parse_url(&format!("http://u:pass@{}/secret?secret", listener.local_addr().unwrap())).unwrap();
        match answer {
            None => drop(listener),
            Some(answer) => drop(std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
                // The client hangs up when it has seen enough.
                let _ = stream.write_all(&answer);
                let _ = stream.read_to_end(&mut Vec::new());
            })),
        }
        let client = Client::new(time_limit, Proxies::Ignored).unwrap();
        client.get(&url, None).map(|answer| answer.status).unwrap_err()
    }

    #[test]
    fn an_error_is_its_last_cause_and_holds_nothing_of_the_url() {
        let long = Duration::from_secs(20);
        let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; LONGEST_ANSWER + 1]].concat();
        for (answer, limit, says) in [
            (None, long, "refused"),
            (None, long, "(is a server running there?)"),
            (Some(Vec::new()), Duration::from_millis(50), "no response within 50ms"),
            (
                Some(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()),
                Duration::from_millis(50),
                "50ms",
            ),
            (Some(b"no HTTP\r\n\r\n".to_vec()), long, "invalid HTTP version"),
            (
                Some(b"HTTP/1.1 302 Found\r\nlocation: ftp://secret/\r\ncontent-length: 0\r\n\r\n".to_vec()),
                long,
                "scheme",
            ),
            (Some(endless), long, "longer than"),
        ] {
            let why = error(answer, limit);
            assert!(why.contains(says), "{says}: {why}");
            assert!(
                !why.contains("secret") && !why.contains("pass") && !why.contains("error sending"),
                "{why}"
            );
        }
    }

    #[test]
    fn what_is_no_url_of_a_service_is_told_without_it() {
        for (text, says) in [
            ("nonsense", "start it with http:// or https://"),
            ("localhost:8090", "start it with http:// or https://"),
            ("10.0.0.7:8090", "start it with http:// or https://"),
            ("ftp://secret/", "scheme must be http or https"),
            ("http://", "empty host"),
        ] {
            let why = parse_url(text).unwrap_err();
            assert!(why.contains(says) && !why.contains("secret"), "{text}: {why}");
        }
    }
}
