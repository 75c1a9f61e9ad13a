//! The HTTP client of one virtual user.
//!
//! Owns the flow of a request: connection, redirects, cookies, retry, timeout. Leaves the details of each to the
//! file of that name.
//!
//! Invariants: `send` never fails otherwise than by an [`Exchange`] with an error; a request is sent a second
//! time only if the first was certainly not acted upon, whatever its method, and each repeat is counted.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use tokio::task::coop;

use super::alarm::Alarm;
use super::body::Body;
use super::connection::{Failure, Http1, Processed, RawResponse, Writing};
use super::connector::{self, Opened};
use super::cookies::{CookieRejected, Jar, with_jar};
use super::error::{ErrorKind, HttpError};
use super::exchange::{Exchange, Hop};
use super::headers::Fields;
use super::http2::Http2;
use super::link::Link;
use super::network::Network;
use super::options::VersionChoice;
use super::plain::{self, Outcome};
use super::pool::{Connection, Pool};
use super::record::{Record, Sharing};
use super::redirect::RedirectChain;
use super::request::{BodyUse, Request};
use super::response_headers::ResponseHeaders;
use super::target::Destination;
use crate::text::format_duration;

/// How often a request is sent again before its failure is one. A server that is going away refuses once, and each
/// repeat goes over a new connection.
const MOST_REPEATS: u32 = 3;

/// The HTTP client of one virtual user: its connections and its cookies.
pub struct Client {
    pub(super) network: Rc<Network>,
    pool: Rc<Pool>,
    /// Made when the first cookie comes: a user without cookies pays nothing for them.
    jar: RefCell<Option<Box<Jar>>>,
    alarm: RefCell<Option<Alarm>>,
}

/// Where a connection may come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// An idle one, or else a new one.
    PoolFirst,
    /// A new one, because the request is repeated.
    New,
}

impl Client {
    /// A user without connections and cookies. Does no I/O.
    pub fn new(network: Rc<Network>) -> Client {
        Client { network, pool: Rc::default(), jar: RefCell::new(None), alarm: RefCell::new(None) }
    }

    /// Sends a request, follows redirects and reads the complete response.
    ///
    /// Several requests of one client may run at the same time. Dropping the future closes the HTTP/1.1
    /// connection it uses, or resets its HTTP/2 stream. Must be called on a tokio runtime with I/O and time, and,
    /// where HTTP/2 can come up, inside a `LocalSet`.
    pub async fn send(&self, request: Request) -> Exchange {
        let started = tokio::time::Instant::now();
        let limit = request.timeout.unwrap_or(self.network.transport.options.timeout);
        let mut record = Record::new(started.into_std());
        let mut alarm = Alarm::set(self.alarm.take(), started, limit);
        let outcome = {
            let mut work = pin!(self.follow(&request, &mut record));
            poll_fn(|cx| {
                if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
                    // Where the thread was busy, both are ready: what was measured decides.
                    return Poll::Ready(if started.elapsed() > limit {
                        Err(too_slow(limit))
                    } else {
                        outcome
                    });
                }
                // Without tokio's budget: a server that sends without end spends it in each poll.
                let ringing = pin!(coop::unconstrained(poll_fn(|cx| alarm.poll(cx))));
                ringing.poll(cx).map(|()| Err(too_slow(limit)))
            })
            .await
        };
        self.alarm.replace(Some(alarm));
        let outcome = outcome.map_err(|error| record.with_cause(error));
        exchange(request, record, outcome)
    }

    /// The header fields that the first request to `request.target` would carry over HTTP/1.1, without a proxy.
    pub fn header_of(&self, request: &Request) -> HeaderMap {
        self.headers(&RedirectChain::new(request), None, Instant::now())
    }

    /// Closes the connections that are idle now; those in use are closed when their requests end or kept for
    /// the next, as if they had just been opened.
    pub fn close_connections(&self) {
        self.pool.clear();
    }

    /// Names and values of the cookies that a request to `target` would carry.
    pub fn cookies_for(&self, target: &Destination) -> Vec<(String, String)> {
        self.jar.borrow().as_ref().map(|jar| jar.matching(target)).unwrap_or_default()
    }

    /// Stores a cookie as if `target` had set it: `name=value; Path=/; Max-Age=60`. Fails if `target` may not set
    /// it, or if it cannot be parsed.
    pub fn set_cookie(&self, target: &Destination, cookie: &str) -> Result<(), CookieRejected> {
        self.jar.borrow_mut().get_or_insert_default().set(target, cookie)
    }

    /// Deletes all cookies.
    pub fn clear_cookies(&self) {
        self.jar.replace(None);
    }

    /// How many connections wait without buffers.
    #[cfg(test)]
    pub(super) fn cold_connections(&self) -> usize {
        self.pool.cold()
    }

    /// One hop after the other, until a response is the answer.
    async fn follow(
        &self,
        request: &Request,
        record: &mut Record,
    ) -> Result<(RawResponse, Destination), HttpError> {
        let options = &self.network.transport.options;
        let limit = request.max_redirects.unwrap_or(options.max_redirects);
        let version = request.version.unwrap_or(options.version);
        let mut course = RedirectChain::new(request);
        let mut followed = 0;
        loop {
            record.begin_hop();
            let answer = self.hop(&course, version, record).await?;
            self.keep_cookies(&course.target, &answer.headers);
            if answer.status == StatusCode::UNAUTHORIZED && course.authorize(&answer) {
                continue;
            }
            let next = if limit == 0 { None } else { course.destination(&answer) };
            let Some(next) = next else {
                return Ok((answer, course.target));
            };
            if followed == limit {
                // A script that gives a number for one request wants to see what it leads to.
                if request.max_redirects.is_some() {
                    return Ok((answer, course.target));
                }
                return Err(HttpError::new(
                    ErrorKind::Redirect,
                    format!("more than {limit} redirects (max_redirects sets this limit)"),
                ));
            }
            followed += 1;
            let status = answer.status.as_u16();
            record.hops.push(Hop { status, url: course.target.clone() });
            course.follow(status, next?);
        }
    }

    /// Keeps what a response sets.
    pub(super) fn keep_cookies(&self, target: &Destination, headers: &ResponseHeaders) {
        if headers.sets_cookies() {
            self.jar.borrow_mut().get_or_insert_default().store(target, headers);
        }
    }

    /// One request and its response, on an idle connection or a new one.
    async fn hop(
        &self,
        course: &RedirectChain<'_>,
        version: VersionChoice,
        record: &mut Record,
    ) -> Result<RawResponse, HttpError> {
        course.body.check()?;
        let mut source = Source::PoolFirst;
        let mut repeats = 0;
        loop {
            let (connection, reused) = self.connection(course, version, source, record).await?;
            let failure = match self.run(connection, course, reused, record).await {
                Ok((answer, connection)) => {
                    record.end_hop();
                    self.put_back(course, connection, record.since());
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let repeatable = match failure.processed {
                Processed::Maybe => false,
                // A new connection that ends at once is no kept one that was closed meanwhile.
                Processed::Unsent => reused,
                Processed::Refused => true,
            };
            if !repeatable || repeats == MOST_REPEATS {
                return Err(failure.error);
            }
            repeats += 1;
            source = Source::New;
            record.try_again();
        }
    }

    /// A connection, and whether it was used before.
    async fn connection(
        &self,
        course: &RedirectChain<'_>,
        version: VersionChoice,
        source: Source,
        record: &mut Record,
    ) -> Result<(Connection, bool), HttpError> {
        let origin = course.target.origin();
        let writing = Writing::for_body(&course.body);
        if source == Source::PoolFirst
            && let Some(idle) = self.pool.take(origin, version)
        {
            let connection = match idle {
                Connection::Warm(http1) if !http1.can_write(writing) => {
                    http1.into_wire().map(Connection::Cold)
                }
                idle => Some(idle),
            };
            if let Some(connection) = connection {
                return Ok((connection, true));
            }
        }
        // Boxed, because it is rare and its future is large.
        let opened = Box::pin(connector::open(&self.network, origin, version, record)).await?;
        let connection = match opened {
            Opened::Http1(wire) => Connection::Cold(wire),
            Opened::Http2(http2) => {
                self.pool.share(origin, &http2, record.since());
                Connection::Shared(http2)
            }
        };
        Ok((connection, false))
    }

    /// Runs one request on a connection. Gives the connection back if it can take another.
    async fn run(
        &self,
        connection: Connection,
        course: &RedirectChain<'_>,
        reused: bool,
        record: &mut Record,
    ) -> Result<(RawResponse, Option<Connection>), Failure> {
        match connection {
            Connection::Cold(mut wire) => {
                record.ready(&wire.link, Sharing::Exclusive, reused);
                let (link, now) = (wire.link.clone(), record.since());
                let encode = |room: &mut [u8]| self.encode(course, &link, now, room);
                match plain::exchange(&mut wire, encode, course.body_use, &self.network.scratch).await? {
                    Outcome::Done { answer, is_reusable } => {
                        Ok((answer, is_reusable.then_some(Connection::Cold(wire))))
                    }
                    Outcome::HandedOver(begun) => {
                        wire.replay(begun);
                        let request = self.http1_request(course, &link, now);
                        // Boxed like the others that are not plain, because their futures are large.
                        Box::pin(async {
                            let http1 = Http1::over(wire, Writing::for_body(request.body())).await?;
                            self.run_http1(Box::new(http1), request, course.body_use).await
                        })
                        .await
                    }
                }
            }
            Connection::Warm(http1) => {
                record.ready(http1.link(), Sharing::Exclusive, reused);
                let request = self.http1_request(course, http1.link(), record.since());
                Box::pin(self.run_http1(http1, request, course.body_use)).await
            }
            Connection::Shared(http2) => {
                record.ready(http2.link(), Sharing::Shared, reused);
                let request = self.http2_request(course, record.since());
                let answer = Box::pin(self.run_http2(&http2, request, course.body_use, record)).await?;
                Ok((answer, None))
            }
        }
    }

    async fn run_http1(
        &self,
        mut http1: Box<Http1>,
        request: http::Request<Body>,
        body_use: BodyUse,
    ) -> Result<(RawResponse, Option<Connection>), Failure> {
        let answer = http1.run(request, body_use, &self.network.nudge).await?;
        Ok((answer, http1.is_reusable().then_some(Connection::Warm(http1))))
    }

    async fn run_http2(
        &self,
        http2: &Rc<Http2>,
        request: http::Request<Body>,
        body_use: BodyUse,
        record: &mut Record,
    ) -> Result<RawResponse, Failure> {
        let mut on_shared = OnShared { pool: &self.pool, http2, is_over: false };
        let outcome = http2.run(request, body_use, record).await;
        on_shared.is_over = true;
        if outcome.as_ref().is_err_and(|failure| failure.processed != Processed::Maybe) {
            // The next requests go where this one is sent again, instead of being refused first.
            self.pool.forget(http2);
        }
        outcome
    }

    fn put_back(&self, course: &RedirectChain<'_>, connection: Option<Connection>, now: Instant) {
        let Some(connection) = connection else { return };
        let is_warm = matches!(connection, Connection::Warm(_));
        self.pool.park(course.target.origin(), connection, now);
        if is_warm {
            self.network.warm.parked(&self.pool, now);
        }
    }

    /// Writes the request if it is plain.
    fn encode(
        &self,
        course: &RedirectChain<'_>,
        link: &Link,
        now: Instant,
        room: &mut [u8],
    ) -> Option<usize> {
        if link.forward.is_none() {
            let fields = self.fields(course, None, now);
            if let Some(header) = fields.prepared(&self.network.transport.defaults) {
                let path = course.target.path_and_query();
                return plain::encode_prepared(&course.method, path, &header, &course.body, room);
            }
        }
        plain::encode(&self.http1_request(course, link, now), room)
    }

    fn http1_request(&self, course: &RedirectChain<'_>, link: &Link, now: Instant) -> http::Request<Body> {
        let (uri, proxy_authorization) = match &link.forward {
            None => (course.target.origin_form(), None),
            Some(forward) => {
                let authority = course.target.origin().authority.clone();
                (course.target.absolute_form(authority), forward.authorization.as_ref())
            }
        };
        let headers = self.headers(course, proxy_authorization, now);
        assemble(course, uri, Version::HTTP_11, headers)
    }

    /// HTTP/2 has no `host` field but a pseudo-header, which comes from the URI.
    fn http2_request(&self, course: &RedirectChain<'_>, now: Instant) -> http::Request<Body> {
        let mut headers = self.headers(course, None, now);
        let authority = headers
            .remove(HOST)
            .and_then(|host| Authority::try_from(host.as_bytes()).ok())
            .unwrap_or_else(|| course.target.origin().authority.clone());
        assemble(course, course.target.absolute_form(authority), Version::HTTP_2, headers)
    }

    pub(super) fn headers(
        &self,
        course: &RedirectChain<'_>,
        proxy_authorization: Option<&HeaderValue>,
        now: Instant,
    ) -> HeaderMap {
        self.fields(course, proxy_authorization, now).assemble(&self.network.transport.defaults)
    }

    fn fields<'a>(
        &self,
        course: &'a RedirectChain<'_>,
        proxy_authorization: Option<&'a HeaderValue>,
        now: Instant,
    ) -> Fields<'a> {
        let cookies = match &mut *self.jar.borrow_mut() {
            jar if !course.cookies.is_empty() => with_jar(course.cookies, jar.as_deref(), &course.target),
            Some(jar) => jar.header(&course.target, now),
            None => None,
        };
        Fields {
            own: &course.headers,
            origin: course.target.origin(),
            method: &course.method,
            has_body: !course.body.is_empty(),
            without_credentials: course.without_credentials,
            cookies,
            proxy_authorization,
        }
    }
}

fn assemble(
    course: &RedirectChain<'_>,
    uri: http::Uri,
    version: Version,
    headers: HeaderMap,
) -> http::Request<Body> {
    let mut request = http::Request::new(course.body.clone());
    *request.method_mut() = course.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    request
}

pub(super) fn too_slow(limit: Duration) -> HttpError {
    HttpError::new(ErrorKind::Timeout, format!("no complete response within {}", format_duration(limit)))
}

/// Watches over a request on a shared connection. One that ends unanswered on a connection whose server allows no streams
/// takes the connection with it: the next request would wait there in vain as well.
struct OnShared<'a> {
    pool: &'a Pool,
    http2: &'a Rc<Http2>,
    is_over: bool,
}

impl Drop for OnShared<'_> {
    fn drop(&mut self) {
        if !self.is_over && !self.http2.allows_streams() {
            self.http2.link().close_to_streams();
            self.pool.forget(self.http2);
        }
    }
}

pub(super) fn exchange(
    request: Request,
    mut record: Record,
    outcome: Result<(RawResponse, Destination), HttpError>,
) -> Exchange {
    let timings = record.finish();
    let mut exchange = Exchange {
        status: 0,
        version: Version::HTTP_11,
        headers: ResponseHeaders::default(),
        trailers: None,
        body: Bytes::new(),
        body_size: 0,
        target: request.target,
        timings,
        bytes_sent: record.bytes_sent,
        bytes_received: record.bytes_received,
        remote_addr: record.remote_addr,
        tls_version: record.tls_version,
        hops: record.hops,
        error: None,
        opened_connection: record.opened_connection,
        retries: record.retries,
    };
    match outcome {
        Ok((answer, target)) => {
            exchange.status = answer.status.as_u16();
            exchange.version = answer.version;
            exchange.headers = answer.headers;
            exchange.trailers = answer.trailers;
            exchange.body = answer.body;
            exchange.body_size = answer.body_size;
            exchange.target = target;
        }
        Err(error) => exchange.error = Some(error),
    }
    exchange
}
