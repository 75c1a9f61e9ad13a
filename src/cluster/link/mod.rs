//! The connection to NATS, and what is done over it: a stream that keeps what a run says, writing to it, reading from it.
//!
//! Only here: `async-nats`. Delivery, storage, reconnecting, authentication and TLS are its work. Invariants: what is put into an
//! [`Outbox`] is in the stream once, in its order, however often the server goes away in between; a reader gives every message of
//! the stream once, in its order.

mod outbox;
mod parts;

use std::collections::HashMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, ConsumerError, ConsumerErrorKind, StorageType};
use async_nats::jetstream::{self};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, RequestErrorKind};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use url::Url;

pub(super) use self::outbox::Outbox;
use self::parts::{Parts, whole};
use super::ClusterError;
use super::protocol::subjects;
use crate::credentials::masked_url;

/// How long one attempt to reach the server may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long an attempt to write or to ask may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long to wait before another attempt.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A stream that the server has not known for so long is gone for good: its run is over.
#[cfg(not(test))]
const GONE_AFTER: Duration = Duration::from_secs(10);
#[cfg(test)]
const GONE_AFTER: Duration = Duration::from_millis(300);

/// How often the two sides look whether the other is there.
const PING_EVERY: Duration = Duration::from_secs(2);

/// How long a stream is kept that nobody deletes.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// How to connect to NATS.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NatsOptions {
    /// `nats://HOST:PORT`, several separated by commas; with `TOKEN@` or `USER:PASSWORD@` before the host of the first.
    pub url: String,
    /// A `.creds` file with a JWT and the seed of an NKEY.
    pub credentials: Option<PathBuf>,
    /// A file with the seed of an NKEY.
    pub nkey: Option<PathBuf>,
    /// Certificates that the server's is trusted by; with it, TLS is required.
    pub ca_file: Option<PathBuf>,
    /// This side's certificate and key, PEM.
    pub client_cert: Option<(PathBuf, PathBuf)>,
}

impl NatsOptions {
    /// These, and where they say nothing, others.
    pub(super) fn or(self, others: NatsOptions) -> NatsOptions {
        NatsOptions {
            url: if self.url.is_empty() { others.url } else { self.url },
            credentials: self.credentials.or(others.credentials),
            nkey: self.nkey.or(others.nkey),
            ca_file: self.ca_file.or(others.ca_file),
            client_cert: self.client_cert.or(others.client_cert),
        }
    }

    /// The same for a process that is started in another folder.
    pub(super) fn with_absolute_paths(self) -> NatsOptions {
        // What has no absolute path is found, or not, as it is.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        NatsOptions {
            credentials: self.credentials.map(absolute),
            nkey: self.nkey.map(absolute),
            ca_file: self.ca_file.map(absolute),
            client_cert: self.client_cert.map(|(cert, key)| (absolute(cert), absolute(key))),
            ..self
        }
    }
}

/// A connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: Client,
    stream: jetstream::Context,
}

impl Link {
    /// Connects to a server that is there.
    ///
    /// # Errors
    /// When the options are wrong, or the server is not there or refuses.
    pub(super) async fn connect(options: &NatsOptions, name: &str) -> Result<Link, ClusterError> {
        Link::connect_so(options, name, false).await.map_err(|(error, _)| error)
    }

    /// The same also with a server that is not there yet; `warn` is told so.
    ///
    /// # Errors
    /// When the options are wrong, or the server refuses.
    pub(super) async fn connect_patiently(
        options: &NatsOptions,
        name: &str,
        warn: impl Fn(String),
    ) -> Result<Link, ClusterError> {
        match Link::connect_so(options, name, false).await {
            Err((error, true)) => {
                warn(format!("{error}; trying again until it is there"));
                Link::connect_so(options, name, true).await.map_err(|(error, _)| error)
            }
            connected => connected.map_err(|(error, _)| error),
        }
    }

    /// Connects; an error says too whether the server may still come.
    async fn connect_so(
        options: &NatsOptions,
        name: &str,
        patiently: bool,
    ) -> Result<Link, (ClusterError, bool)> {
        let (addresses, connect) = with_credentials(options).await.map_err(|error| (error, false))?;
        let mut connect = connect
            .name(name)
            .connection_timeout(CONNECT_WITHIN)
            .request_timeout(Some(ANSWER_WITHIN))
            .ping_interval(PING_EVERY)
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| Duration::from_millis(100 * (attempts as u64).clamp(1, 10)));
        if patiently {
            connect = connect.retry_on_initial_connect();
        }
        let connecting = connect.connect(addresses.as_str());
        let client = connecting.await.map_err(|error| {
            let may_come = matches!(
                error.kind(),
                ConnectErrorKind::Io | ConnectErrorKind::TimedOut | ConnectErrorKind::Dns
            );
            let url = masked_url(&options.url).into_owned();
            (ClusterError::Connect { url, reason: error.to_string() }, may_come)
        })?;
        let mut stream = jetstream::new(client.clone());
        stream.set_timeout(ANSWER_WITHIN);
        Ok(Link { client, stream })
    }

    /// Whether the server can be reached, as far as it is known here.
    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Makes the stream of a run, or takes over the one that is there.
    pub(super) async fn create_stream(&self, run: &str) -> Result<(), ClusterError> {
        let config = Config {
            name: subjects::stream(run),
            subjects: vec![subjects::kept(run)],
            storage: StorageType::File,
            max_age: KEPT_FOR,
            ..Config::default()
        };
        let made = self.stream.get_or_create_stream(config).await;
        made.map(|_| ()).map_err(|error| ClusterError::Stream(error.to_string()))
    }

    /// Removes it.
    pub(super) async fn delete_stream(&self, run: &str) {
        // It goes by itself after some days; there is nobody to tell.
        let _ = tokio::time::timeout(ANSWER_WITHIN, self.stream.delete_stream(subjects::stream(run))).await;
    }

    /// Asks somebody and gives the answer.
    pub(super) async fn ask(&self, subject: String, question: Vec<u8>) -> Result<Bytes, ClusterError> {
        let asked = tokio::time::timeout(ANSWER_WITHIN, self.client.request(subject, question.into())).await;
        match asked {
            Ok(Ok(answer)) => Ok(answer.payload),
            // Its own text says so twice.
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                Err(ClusterError::Ask("nobody listens".to_owned()))
            }
            Ok(Err(error)) => Err(ClusterError::Ask(error.to_string())),
            Err(_) => Err(ClusterError::Ask(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))),
        }
    }

    /// Says something that is lost when nobody listens.
    pub(super) async fn say(&self, subject: String, payload: Vec<u8>) {
        // Whoever needs to know says it again.
        let _ = self.client.publish(subject, payload.into()).await;
    }

    /// Reads the messages of a run's stream whose subject matches, from the beginning and for ever, to whoever takes them.
    /// Ends when nobody does, or when there is no such stream any more.
    pub(super) async fn read(&self, run: &str, filter: String, kept: mpsc::Sender<Kept>) {
        let mut parts: HashMap<(String, u64), Parts> = HashMap::new();
        let mut last = 0;
        let mut gone = GoneFor::default();
        while !kept.is_closed() {
            // The server is away, or it has forgotten that somebody reads: from where it was on.
            let is_unknown = match self.read_on(run, &filter, &mut last, &mut parts, &kept).await {
                Stopped::NobodyTakes => return,
                Stopped::Unknown => true,
                Stopped::Away => false,
            };
            if gone.look(is_unknown) {
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Reads until something goes wrong.
    async fn read_on(
        &self,
        run: &str,
        filter: &str,
        last: &mut u64,
        parts: &mut HashMap<(String, u64), Parts>,
        kept: &mpsc::Sender<Kept>,
    ) -> Stopped {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: *last + 1 },
            ack_policy: AckPolicy::None,
            filter_subject: filter.to_owned(),
            inactive_threshold: Duration::from_secs(60),
            ..pull::Config::default()
        };
        let Ok(stream) = self.stream.get_stream_no_info(subjects::stream(run)).await else {
            return Stopped::Away;
        };
        let consumer = match stream.create_consumer(config).await {
            Ok(consumer) => consumer,
            Err(error) => return if is_unknown(&error) { Stopped::Unknown } else { Stopped::Away },
        };
        let messages = consumer.stream().heartbeat(Duration::from_secs(1)).expires(Duration::from_secs(10));
        let Ok(mut messages) = messages.messages().await else { return Stopped::Away };
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                () = kept.closed() => return Stopped::NobodyTakes,
            };
            let Some(Ok(message)) = message else { return Stopped::Away };
            let Ok(info) = message.info() else { return Stopped::Away };
            let sequence = info.stream_sequence;
            if sequence <= *last {
                continue;
            }
            *last = sequence;
            let subject = message.subject.to_string();
            if let Some(payload) = whole(parts, &subject, message.payload.clone())
                && kept.send(Kept { subject, payload, sequence }).await.is_err()
            {
                return Stopped::NobodyTakes;
            }
        }
    }

    /// All messages of a run's stream whose subject matches that are there now.
    pub(super) async fn read_all(&self, run: &str, filter: &str) -> Result<Vec<Kept>, ClusterError> {
        let unread =
            |error: &dyn Display| ClusterError::Ask(format!("the run's stream cannot be read: {error}"));
        let config = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            filter_subject: filter.to_owned(),
            ..pull::Config::default()
        };
        let stream = self.stream.get_stream_no_info(subjects::stream(run)).await;
        let stream = stream.map_err(|error| unread(&error))?;
        let consumer = stream.create_consumer(config).await.map_err(|error| unread(&error))?;
        let mut left = consumer.cached_info().num_pending;
        let mut messages = consumer.messages().await.map_err(|error| unread(&error))?;
        let (mut parts, mut all) = (HashMap::new(), Vec::new());
        while left > 0 {
            let next = tokio::time::timeout(ANSWER_WITHIN, messages.next()).await;
            let message = next.map_err(|_| unread(&"the server does not answer"))?;
            let message = message.ok_or_else(|| unread(&"it ended"))?.map_err(|error| unread(&error))?;
            left -= 1;
            let sequence = message.info().map_or(0, |info| info.stream_sequence);
            let subject = message.subject.to_string();
            if let Some(payload) = whole(&mut parts, &subject, message.payload.clone()) {
                all.push(Kept { subject, payload, sequence });
            }
        }
        Ok(all)
    }

    /// The place of the last message in a run's stream.
    pub(super) async fn last_sequence(&self, run: &str) -> Result<u64, ClusterError> {
        let stream = self.stream.get_stream(subjects::stream(run)).await;
        let stream =
            stream.map_err(|error| ClusterError::Ask(format!("the run's stream cannot be read: {error}")))?;
        Ok(stream.cached_info().state.last_sequence)
    }

    /// A way into a run's stream; `writer` is unique in it.
    pub(super) fn outbox(&self, run: &str, writer: String, most: usize) -> Outbox {
        Outbox::new(self.stream.clone(), subjects::stream(run), writer, most)
    }
}

/// Why reading has stopped.
enum Stopped {
    NobodyTakes,
    /// The server does not know the stream.
    Unknown,
    Away,
}

fn is_unknown(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// Whether the server says that there is no stream of this name. One that says nothing, or cannot tell, has it perhaps.
async fn does_not_know(context: &jetstream::Context, stream: &str) -> bool {
    match context.get_stream(stream).await {
        Ok(_) => false,
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error) => error.error_code() == ErrorCode::STREAM_NOT_FOUND,
            _ => false,
        },
    }
}

/// Since when the server has not known a stream.
#[derive(Default)]
struct GoneFor(Option<Instant>);

impl GoneFor {
    /// Whether that is for good.
    fn look(&mut self, is_unknown: bool) -> bool {
        if !is_unknown {
            self.0 = None;
            return false;
        }
        self.0.get_or_insert_with(Instant::now).elapsed() >= GONE_AFTER
    }
}

async fn with_credentials(options: &NatsOptions) -> Result<(String, ConnectOptions), ClusterError> {
    let unreadable = |path: &PathBuf, error: &dyn Display| {
        ClusterError::Options(format!("cannot use {}: {error}", path.display()))
    };
    let mut connect = ConnectOptions::new();
    let mut addresses = Vec::new();
    for text in options.url.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let text = if text.contains("://") { text.to_owned() } else { format!("nats://{text}") };
        let mut url = Url::parse(&text).map_err(|error| {
            ClusterError::Options(format!("'{}' is no URL of NATS: {error}", masked_url(&text)))
        })?;
        if !matches!(url.scheme(), "nats" | "tls") || url.host().is_none() {
            let text = format!("'{}' is no URL of NATS; write nats://HOST:4222", masked_url(&text));
            return Err(ClusterError::Options(text));
        }
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        match (decoded(url.username()), url.password().map(decoded)) {
            (user, _) if user.is_empty() => {}
            (user, Some(password)) => connect = connect.user_and_password(user, password),
            (token, None) => connect = connect.token(token),
        }
        // Both are always possible for such a URL.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        addresses.push(url.to_string());
    }
    if addresses.is_empty() {
        return Err(ClusterError::Options("no URL of NATS is given; write nats://HOST:4222".to_owned()));
    }
    if let Some(path) = &options.credentials {
        connect = connect.credentials_file(path).await.map_err(|error| unreadable(path, &error))?;
    }
    if let Some(path) = &options.nkey {
        let seed = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        connect = connect.nkey(seed.trim().to_owned());
    }
    if let Some(path) = &options.ca_file {
        std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        connect = connect.add_root_certificates(path.clone()).require_tls(true);
    }
    if let Some((cert, key)) = &options.client_cert {
        for path in [cert, key] {
            std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        }
        connect = connect.add_client_certificate(cert.clone(), key.clone());
    }
    Ok((addresses.join(","), connect))
}

/// A message that was read.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) subject: String,
    pub(super) payload: Bytes,
    /// Its place in the stream; of a message in parts, that of the last one.
    pub(super) sequence: u64,
}
