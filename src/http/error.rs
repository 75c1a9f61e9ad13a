//! Transport errors of requests and their messages.
//!
//! Owns [`HttpError`] and the translation of I/O, TLS and hyper errors into them. Leaves
//! set-up mistakes to `setup_error.rs` and URL mistakes to `target.rs`.
//!
//! Invariant: one cause gives one text. Messages are grouping keys of failures, so they contain no local ports,
//! byte counts or ids, only what a person needs to act.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use tokio_rustls::rustls::{self, CertificateError};

use super::connection::{LARGEST_HEAD, MOST_LINES};
use crate::credentials::excerpt;
pub(super) use crate::metrics::ErrorKind;

/// How much is shown of what a server says about an error, in characters.
const LONGEST_SAYING: usize = 200;

/// Why a request has no usable response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct HttpError {
    /// The stable kind of the cause.
    pub kind: ErrorKind,
    /// The message; equal causes have equal texts, so that failures can be grouped by it.
    pub message: String,
    /// The number that k6 has for it (`error_code`).
    pub code: u16,
}

impl HttpError {
    /// An error of this kind with this text.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> HttpError {
        let code = kind.k6_code().unwrap_or(1000);
        HttpError { kind, message: message.into(), code }
    }

    /// The same with a number that says more than that of its kind.
    #[must_use]
    pub(super) fn coded(self, code: u16) -> HttpError {
        HttpError { code, ..self }
    }
}

// Numbers of k6 where it tells more apart than the kinds do.
pub(super) const NO_SUCH_HOST: u16 = 1101;
const DIAL: u16 = 1210;
pub(super) const DIAL_TIMEOUT: u16 = 1211;
const UNKNOWN_AUTHORITY: u16 = 1310;
const WRONG_HOST: u16 = 1311;
/// The first of those for HTTP/2: 1 and the code of HTTP/2 are added to it.
const GO_AWAY: u16 = 1610;
const STREAM: u16 = 1630;
const CONNECTION: u16 = 1650;
pub(super) const DECODING: u16 = 1701;

/// How far a request had come when its connection failed: the same end of a stream is a `reset` before the
/// response and a cut `body` inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponsePart {
    /// No complete response head yet.
    Head,
    /// Inside the body of a response with this status.
    Body(u16),
}

/// An error while opening a TCP connection to `peer`.
pub(super) fn connecting(error: &io::Error, peer: &dyn fmt::Display) -> HttpError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => HttpError::new(
            ErrorKind::Refused,
            format!("connection refused by {peer} (is the server running there?)"),
        ),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            HttpError::new(ErrorKind::Reset, format!("connection reset by {peer} while connecting"))
        }
        io::ErrorKind::TimedOut => {
            HttpError::new(ErrorKind::Timeout, format!("{peer} did not answer the connection attempt"))
                .coded(DIAL_TIMEOUT)
        }
        io::ErrorKind::NotFound => HttpError::new(
            ErrorKind::Refused,
            format!("there is no socket {peer} (is the server running there?)"),
        ),
        _ => local(error, &format!("cannot connect to {peer}")).coded(DIAL),
    }
}

/// Errors that this machine makes, with what helps against them.
fn local(error: &io::Error, doing: &str) -> HttpError {
    let hint = match error.raw_os_error() {
        // EMFILE and ENFILE; std has no stable ErrorKind for them.
        Some(23 | 24) => " (raise the limit with `ulimit -n`, or use fewer virtual users)",
        _ if error.kind() == io::ErrorKind::AddrNotAvailable => {
            " (no free local port; widen net.ipv4.ip_local_port_range, or keep connections alive)"
        }
        _ => "",
    };
    HttpError::new(ErrorKind::Other, format!("{doing}: {}{hint}", describe_io(error)))
}

/// An I/O error on a stream that speaks another protocol than HTTP.
pub(crate) fn broken_stream(error: &io::Error, peer: &dyn fmt::Display) -> HttpError {
    streaming(error, peer, ResponsePart::Head)
}

/// An I/O error on an open connection.
fn streaming(error: &io::Error, peer: &dyn fmt::Display, stage: ResponsePart) -> HttpError {
    if let Some(tls) = tls_source(error) {
        return HttpError::new(ErrorKind::Tls, format!("TLS failed with {peer}: {}", tls_reason(tls)));
    }
    let closed = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::WriteZero
    );
    match (stage, closed) {
        (ResponsePart::Head, true) if error.kind() == io::ErrorKind::UnexpectedEof => closed_early(peer),
        (ResponsePart::Head, true) => {
            HttpError::new(ErrorKind::Reset, format!("connection reset by {peer} before the response"))
        }
        (ResponsePart::Body(status), true) => cut_body(peer, status),
        (ResponsePart::Body(_), false)
            if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) =>
        {
            HttpError::new(
                ErrorKind::Protocol,
                format!("{peer} sent a malformed body: {}", describe_io(error)),
            )
        }
        (ResponsePart::Body(_), false) => HttpError::new(
            ErrorKind::Body,
            format!("cannot read the body from {peer}: {}", describe_io(error)),
        ),
        (ResponsePart::Head, false) => local(error, &format!("connection to {peer} failed")),
    }
}

fn closed_early(peer: &dyn fmt::Display) -> HttpError {
    HttpError::new(ErrorKind::Reset, format!("connection closed by {peer} before the response"))
}

fn cut_body(peer: &dyn fmt::Display, status: u16) -> HttpError {
    HttpError::new(
        ErrorKind::Body,
        format!("connection closed by {peer} inside the body of its {status} response"),
    )
}

/// An error that hyper reports for a request or the body of its response.
pub(super) fn exchanging(error: &hyper::Error, peer: &dyn fmt::Display, stage: ResponsePart) -> HttpError {
    if error.is_parse_too_large() {
        return HttpError::new(
            ErrorKind::Protocol,
            format!(
                "the head of the response from {peer} has more than {MOST_LINES} lines or {} KiB",
                LARGEST_HEAD >> 10
            ),
        );
    }
    if error.is_parse() {
        return HttpError::new(
            ErrorKind::Protocol,
            format!("{peer} sent something that is not a valid HTTP response: {error}"),
        );
    }
    // The body of the request says itself why it has no more.
    if let Some(own) = source::<HttpError>(error) {
        return own.clone();
    }
    if let Some(io) = source::<io::Error>(error) {
        return streaming(io, peer, stage);
    }
    match stage {
        // Without an I/O cause the connection ended under the request: closed, cancelled or incomplete.
        ResponsePart::Body(status) => cut_body(peer, status),
        ResponsePart::Head if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
            closed_early(peer)
        }
        ResponsePart::Head => {
            HttpError::new(ErrorKind::Protocol, format!("no valid HTTP response from {peer}: {error}"))
        }
    }
}

/// An error of an HTTP/2 connection or one of its streams.
pub(super) fn http2(error: &h2::Error, peer: &dyn fmt::Display, stage: ResponsePart) -> HttpError {
    if let Some(io) = error.get_io() {
        return streaming(io, peer, stage);
    }
    let reason = h2_reason(error);
    let http1_hint = match error.reason() {
        Some(h2::Reason::HTTP_1_1_REQUIRED) => " (set http_version to 1.1)",
        // A server that knows no HTTP/2 answers the preface with bytes that are no frame.
        Some(h2::Reason::FRAME_SIZE_ERROR) if error.is_library() => " (does the server speak HTTP/2?)",
        _ => "",
    };
    let first = match () {
        () if error.is_go_away() => GO_AWAY,
        () if error.is_reset() => STREAM,
        () => CONNECTION,
    };
    // Codes beyond those of RFC 9113 have no number of their own.
    let code = error.reason().map_or(0, u32::from);
    let code = first + u16::try_from(code).ok().filter(|code| *code <= 13).map_or(0, |code| code + 1);
    let told = match stage {
        ResponsePart::Body(status) => HttpError::new(
            ErrorKind::Body,
            format!("HTTP/2 stream ended by {peer} inside the body of its {status} response: {reason}"),
        ),
        ResponsePart::Head if error.is_go_away() && error.is_remote() => HttpError::new(
            ErrorKind::Reset,
            format!("HTTP/2 connection closed by {peer} (GOAWAY): {reason}{http1_hint}"),
        ),
        ResponsePart::Head if error.is_reset() && error.is_remote() => {
            HttpError::new(ErrorKind::Reset, format!("HTTP/2 stream reset by {peer}: {reason}{http1_hint}"))
        }
        ResponsePart::Head => HttpError::new(
            ErrorKind::Protocol,
            format!("HTTP/2 protocol error with {peer}: {reason}{http1_hint}"),
        ),
    };
    told.coded(code)
}

/// What an HTTP/2 error is: its code as RFC 9113 section 7 names it, what that means, and what the side that found it says
/// besides.
fn h2_reason(error: &h2::Error) -> String {
    let Some(reason) = error.reason() else { return error.to_string() };
    let code = u32::from(reason);
    let (name, meaning, fault) = match reason {
        h2::Reason::NO_ERROR => ("NO_ERROR", "no error", ""),
        h2::Reason::PROTOCOL_ERROR => (
            "PROTOCOL_ERROR",
            "something that is not allowed in HTTP/2",
            "a frame or a header field that is not allowed there",
        ),
        h2::Reason::INTERNAL_ERROR => ("INTERNAL_ERROR", "an internal error", ""),
        h2::Reason::FLOW_CONTROL_ERROR => {
            ("FLOW_CONTROL_ERROR", "more data than was allowed", "more data than it was allowed to")
        }
        h2::Reason::SETTINGS_TIMEOUT => {
            ("SETTINGS_TIMEOUT", "settings were not acknowledged in time", "no acknowledgement of settings")
        }
        h2::Reason::STREAM_CLOSED => (
            "STREAM_CLOSED",
            "a frame came after the end of its stream",
            "a frame after the end of its stream",
        ),
        h2::Reason::FRAME_SIZE_ERROR => {
            ("FRAME_SIZE_ERROR", "a frame of an invalid size", "a frame of an invalid size")
        }
        h2::Reason::REFUSED_STREAM => ("REFUSED_STREAM", "it was refused and not processed", ""),
        h2::Reason::CANCEL => ("CANCEL", "it is no longer wanted", ""),
        h2::Reason::COMPRESSION_ERROR => (
            "COMPRESSION_ERROR",
            "a header block that cannot be decoded",
            "a header block that cannot be decoded",
        ),
        h2::Reason::CONNECT_ERROR => ("CONNECT_ERROR", "the connection of a CONNECT request broke", ""),
        h2::Reason::ENHANCE_YOUR_CALM => (
            "ENHANCE_YOUR_CALM",
            "this client causes too much load",
            "too many frames that mean nothing: empty, tiny or resetting ones",
        ),
        h2::Reason::INADEQUATE_SECURITY => ("INADEQUATE_SECURITY", "TLS is not secure enough", ""),
        h2::Reason::HTTP_1_1_REQUIRED => ("HTTP_1_1_REQUIRED", "HTTP/1.1 is required", ""),
        _ => ("", "", ""),
    };
    let mut text = match (name, error.is_remote(), fault) {
        ("", ..) => format!("error code {code}"),
        (_, false, fault) if !fault.is_empty() => format!("it sent {fault} ({name})"),
        _ => format!("{name}, {meaning}"),
    };
    // Only the text of an error holds it: `… (b"too many pings")`, with what is not ASCII escaped.
    let whole = error.to_string();
    if let Some((_, rest)) = whole.split_once(" (b\"")
        && let Some(said) = rest.strip_suffix("\")")
    {
        text.push_str(&format!(": {}", excerpt(said, LONGEST_SAYING)));
    }
    text
}

/// An error of the TLS handshake for `host`.
pub(super) fn handshaking(error: &io::Error, host: &str) -> HttpError {
    match tls_source(error) {
        Some(rustls::Error::InvalidCertificate(certificate)) => untrusted(certificate, host),
        Some(rustls::Error::InvalidMessage(_)) => HttpError::new(
            ErrorKind::Tls,
            format!("{host} does not answer with TLS (is this an http:// port?)"),
        ),
        Some(rustls::Error::AlertReceived(alert)) => {
            HttpError::new(ErrorKind::Tls, format!("{host} refused the TLS handshake: {}", words(alert)))
        }
        Some(rustls::Error::NoApplicationProtocol) => HttpError::new(
            ErrorKind::Tls,
            format!("{host} supports none of the requested HTTP versions (see http_version)"),
        ),
        Some(other) => {
            HttpError::new(ErrorKind::Tls, format!("TLS handshake with {host} failed: {}", tls_reason(other)))
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            HttpError::new(ErrorKind::Tls, format!("connection closed by {host} during the TLS handshake"))
        }
        None if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            HttpError::new(ErrorKind::Reset, format!("connection reset by {host} during the TLS handshake"))
        }
        None => HttpError::new(
            ErrorKind::Tls,
            format!("TLS handshake with {host} failed: {}", describe_io(error)),
        ),
    }
}

fn untrusted(error: &CertificateError, host: &str) -> HttpError {
    let told = HttpError::new(
        ErrorKind::Tls,
        format!(
            "the certificate of {host} is not trusted: {} (use --insecure or --ca-file to accept it)",
            certificate_reason(error)
        ),
    );
    match error {
        CertificateError::UnknownIssuer => told.coded(UNKNOWN_AUTHORITY),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            told.coded(WRONG_HOST)
        }
        _ => told,
    }
}

/// The contexts that rustls adds to some of these hold instants, which would make every text a different one.
fn certificate_reason(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "its issuer is unknown or it is self-signed".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it was issued for another name".to_owned()
        }
        CertificateError::Revoked => "it was revoked".to_owned(),
        CertificateError::BadSignature => "its signature is invalid".to_owned(),
        CertificateError::BadEncoding => "it cannot be parsed".to_owned(),
        CertificateError::Other(other) => match words(&other.0).as_str() {
            "ca used as end entity" => "it is a certificate authority, and no server's".to_owned(),
            reason => reason.to_owned(),
        },
        other => words(other),
    }
}

/// What rustls says, without the names of its types.
pub(super) fn tls_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => format!("the other side ended it ({})", words(alert)),
        rustls::Error::PeerIncompatible(why) => {
            format!("the other side cannot do what is needed ({})", words(why))
        }
        rustls::Error::PeerMisbehaved(why) => {
            format!("the other side violated the protocol ({})", words(why))
        }
        rustls::Error::InvalidMessage(why) => {
            format!("the other side sent a malformed message ({})", words(why))
        }
        rustls::Error::InappropriateMessage { .. } | rustls::Error::InappropriateHandshakeMessage { .. } => {
            "the other side sent a message that is not expected now".to_owned()
        }
        rustls::Error::InvalidCertificate(why) => certificate_reason(why),
        rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
        rustls::Error::InvalidCertRevocationList(why) => words(why),
        rustls::Error::InvalidEncryptedClientHello(why) => words(why),
        other => other.to_string(),
    }
}

/// A value that its library has no words for: the name of its variant as words, `BadCertificate` as `bad certificate`.
fn words(value: &dyn fmt::Debug) -> String {
    let text = format!("{value:?}");
    let name = text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
    let letters: Vec<char> = name.chars().collect();
    let mut words = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let before_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let after_lower = at > 0 && !letters[at - 1].is_uppercase();
        if at > 0 && letter.is_uppercase() && (before_lower || after_lower) {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// `tokio-rustls` wraps a TLS error in an I/O error.
fn tls_source(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
}

/// The first cause of this type behind `error`.
fn source<E: StdError + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<E>() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}

/// An I/O error's text without std's `(os error 111)`, which says nothing to people.
pub(super) fn describe_io(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text[..end].to_lowercase(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variants_become_words() {
        let alert = rustls::AlertDescription::HandshakeFailure;
        assert_eq!(words(&alert), "handshake failure");
        assert_eq!(words(&rustls::AlertDescription::UnknownCA), "unknown ca");
        let why = rustls::PeerMisbehaved::IllegalTlsInnerPlaintext;
        let reason = tls_reason(&rustls::Error::PeerMisbehaved(why));
        assert_eq!(reason, "the other side violated the protocol (illegal tls inner plaintext)");
        let purpose = CertificateError::InvalidPurpose;
        assert_eq!(certificate_reason(&purpose), "invalid purpose");
    }
}
