//! Samples as values of metrics with tags, in the names and kinds of `run.json`: what is written to files.
//!
//! Owns which values a sample has. Leaves to a [`SampleSink`] what becomes of them. Pure. Invariants: the values of
//! a counter add up to the counter in `run.json`; what did not happen (no lookup, no handshake) has no value; texts
//! are masked.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::builtin::{
    Builtin, IterationFigure, METRICS, MetricKind, RequestFigure, Source, TransactionFigure,
};
use super::histogram::ms;
use super::sample::{Protocol, RequestFacts, RequestSample, micros};
use super::series::SeriesKey;
use super::tap::{Chunk, Sample};
use crate::credentials::{MASK, is_credential};
use crate::text::clean_text;

/// A metric that a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleMetric<'a> {
    /// Its name, as in `run.json`.
    pub name: &'a str,
    /// What its values come to.
    pub kind: MetricKind,
    /// What they are: `time` (milliseconds), `data` (bytes) or `default`.
    pub contains: &'static str,
}

/// Values that were counted together: of one request, one iteration, one check.
#[derive(Clone, Debug)]
pub struct SampleGroup<'a> {
    /// When they were counted.
    pub at: SystemTime,
    /// What is known of where they come from; each key once.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The values.
    pub values: Vec<(SampleMetric<'a>, f64)>,
}

/// Something that every sample of a run is given to, on a thread of its own. It may be slow, but samples that
/// wait are bounded: those that find no room are counted and left out.
pub trait SampleSink: Send {
    /// What it is called in messages: the name of its file.
    fn name(&self) -> String;

    /// Takes a group.
    ///
    /// # Errors
    /// When it can take no more. It is not called again then, and the run goes on.
    fn write(&mut self, group: &SampleGroup<'_>) -> io::Result<()>;

    /// Makes sure that what was taken is not lost if the process ends; called about once a second.
    ///
    /// # Errors
    /// As [`SampleSink::write`].
    fn flush(&mut self) -> io::Result<()>;

    /// The run is over.
    ///
    /// # Errors
    /// When something of what was taken is lost.
    fn finish(&mut self) -> io::Result<()>;
}

/// Masks what must not be shown; `None` when there is nothing of that.
pub(crate) type Mask = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Turns chunks into groups; knows the names of each thread.
pub(crate) struct SampleGroups {
    mask: Mask,
    sources: Vec<Names>,
}

#[derive(Default)]
struct Names {
    series: Vec<SeriesKey>,
    tags: Vec<SeriesKey>,
}

impl SampleGroups {
    pub(crate) fn new(mask: Mask) -> Self {
        SampleGroups { mask, sources: Vec::new() }
    }

    /// Gives each sample of a chunk to `act`.
    pub(crate) fn each(&mut self, chunk: Chunk, mut act: impl FnMut(&SampleGroup<'_>)) {
        if self.sources.len() <= chunk.source {
            self.sources.resize_with(chunk.source + 1, Names::default);
        }
        let mask = self.mask.clone();
        let masked = |text: Arc<str>| match kept(&text, &*mask) {
            Cow::Borrowed(_) => text,
            Cow::Owned(other) => other.into(),
        };
        let key = |key: SeriesKey| SeriesKey {
            protocol: key.protocol,
            scenario: masked(key.scenario),
            method: masked(key.method),
            name: masked(key.name),
        };
        let names = &mut self.sources[chunk.source];
        names.series.extend(chunk.new_series.into_iter().map(key));
        let tag = |tag: SeriesKey| {
            let name = if is_credential(&tag.method) { MASK.into() } else { tag.name };
            key(SeriesKey { name, ..tag })
        };
        names.tags.extend(chunk.new_tags.into_iter().map(tag));
        for (at, sample) in &chunk.samples {
            act(&group(*at, sample, names, &*mask));
        }
    }
}

impl SampleMetric<'static> {
    fn of(metric: &Builtin) -> SampleMetric<'static> {
        SampleMetric { name: metric.name, kind: metric.kind(), contains: metric.quantity().contains() }
    }
}

/// The values that a sample has of the metrics of the engine.
fn values_of(value: impl Fn(Source) -> Option<f64>) -> Vec<(SampleMetric<'static>, f64)> {
    let metrics = METRICS.iter();
    metrics.filter_map(|metric| Some((SampleMetric::of(metric), value(metric.metric.source)?))).collect()
}

fn group<'a>(
    at: SystemTime,
    sample: &'a Sample,
    names: &'a Names,
    mask: &dyn Fn(&str) -> Option<String>,
) -> SampleGroup<'a> {
    let masked = |text: &'a str| kept(text, mask);
    let of = |context: &'a [(String, String)]| -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        let value = |key: &str, value| if is_credential(key) { MASK.into() } else { masked(value) };
        context.iter().map(|(key, of)| (masked(key), value(key, of))).collect()
    };
    let tag = |key: &'static str, value: &'a str| (Cow::Borrowed(key), masked(value));
    let is_of_the_run = matches!(sample, Sample::ScriptError { .. } | Sample::Run { .. });
    let (mut tags, values) = match sample {
        Sample::Request { sample, facts, taken_back } => {
            let mut tags = request_tags(sample, facts, names, mask);
            if *taken_back {
                tags.push(("taken_back".into(), "true".into()));
            }
            (tags, request_values(sample, if *taken_back { -1.0 } else { 1.0 }))
        }
        Sample::Iteration { scenario, duration, lag } => {
            let values = values_of(|source| match source {
                Source::Iterations(IterationFigure::Count) => Some(1.0),
                Source::Iterations(IterationFigure::Duration) => Some(millis(*duration)),
                Source::Iterations(IterationFigure::Lag) => Some(millis(*lag)),
                Source::Iterations(IterationFigure::Response) => Some(millis(*lag + *duration)),
                _ => None,
            });
            (vec![tag("scenario", scenario)], values)
        }
        Sample::Check { name, passed, of: context } => {
            let values = values_of(|source| (source == Source::Checks).then_some(is(*passed)));
            (with(tag("check", name), of(context)), values)
        }
        Sample::Custom { metric, kind, is_time, value, of: context } => {
            let contains = if *is_time { "time" } else { "default" };
            let value = if *kind == MetricKind::Rate { is(*value != 0.0) } else { *value };
            (of(context), vec![(SampleMetric { name: metric, kind: *kind, contains }, value)])
        }
        Sample::Transaction { name, duration, failed, of: context } => {
            let values = values_of(|source| match source {
                Source::Transactions(TransactionFigure::Count) => Some(1.0),
                Source::Transactions(TransactionFigure::Failed) => Some(is(*failed)),
                Source::Transactions(TransactionFigure::Duration) => Some(millis(*duration)),
                _ => None,
            });
            (with(tag("name", name), of(context)), values)
        }
        Sample::ScriptError { message } => {
            let values = values_of(|source| (source == Source::ScriptErrors).then_some(1.0));
            (vec![("error".into(), masked(message))], values)
        }
        Sample::Run { metric, kind, value } => {
            (Vec::new(), vec![(SampleMetric { name: metric, kind: *kind, contains: "default" }, *value)])
        }
    };
    // What is in no group is in the outermost one, whose name is empty.
    if !is_of_the_run && !tags.iter().any(|(key, _)| key == "group") {
        tags.push(("group".into(), "".into()));
    }
    SampleGroup { at, tags, values }
}

/// A text as it is written: without secrets and control characters.
fn kept<'a>(text: &'a str, mask: &dyn Fn(&str) -> Option<String>) -> Cow<'a, str> {
    match mask(text) {
        Some(masked) => Cow::Owned(clean_text(&masked).into_owned()),
        None => clean_text(text),
    }
}

/// A tag of the engine's with others, of which none replaces it.
fn with<'a>(
    first: (Cow<'a, str>, Cow<'a, str>),
    others: Vec<(Cow<'a, str>, Cow<'a, str>)>,
) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let others = others.into_iter().filter(|(key, _)| *key != first.0).collect::<Vec<_>>();
    std::iter::once(first).chain(others).collect()
}

/// The tags that k6 sets on its own, and those of the request.
fn request_tags<'a>(
    sample: &'a RequestSample,
    facts: &'a RequestFacts,
    names: &'a Names,
    mask: &dyn Fn(&str) -> Option<String>,
) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut tags: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(13 + sample.tags.len());
    if let Some(key) = names.series.get(sample.series.index()) {
        tags.push(("scenario".into(), Cow::Borrowed(&*key.scenario)));
        tags.push(("method".into(), Cow::Borrowed(&*key.method)));
        tags.push(("name".into(), Cow::Borrowed(&*key.name)));
        if key.protocol != Protocol::Call {
            tags.push((
                "url".into(),
                facts.url.as_deref().map_or(Cow::Borrowed(&*key.name), |url| kept(url, mask)),
            ));
        }
    }
    let words =
        [("proto", facts.proto), ("tls_version", facts.tls_version), ("subproto", facts.subproto.as_deref())];
    tags.extend(words.into_iter().filter_map(|(key, word)| Some((key.into(), kept(word?, mask)))));
    // 0 is no status; k6 writes it all the same, and so does its readers' filter for "no response".
    tags.push(("status".into(), sample.status.to_string().into()));
    tags.push(("expected_response".into(), sample.failure.is_none().to_string().into()));
    if let Some(failure) = &sample.failure {
        tags.push(("error".into(), kept(&failure.message, mask)));
        tags.push(("error_kind".into(), Cow::Borrowed(failure.kind.as_str())));
    }
    if let Some(code) = error_code(sample, facts) {
        tags.push(("error_code".into(), code.to_string().into()));
    }
    for tag in &sample.tags {
        let Some(SeriesKey { method: key, name: value, .. }) = names.tags.get(tag.0 as usize) else {
            continue;
        };
        if !tags.iter().any(|(known, _)| **known == **key) {
            tags.push((Cow::Borrowed(&**key), Cow::Borrowed(&**value)));
        }
    }
    tags
}

/// k6's number for what went wrong: an error status has one also where it was expected.
fn error_code(sample: &RequestSample, facts: &RequestFacts) -> Option<u16> {
    if sample.status >= 400 && sample.protocol != Protocol::Call {
        return Some(1_000 + sample.status.min(999));
    }
    let failure = sample.failure.as_ref()?;
    facts.error_code.or_else(|| failure.kind.k6_code())
}

fn request_values(sample: &RequestSample, sign: f64) -> Vec<(SampleMetric<'static>, f64)> {
    let failed = sample.failure.is_some();
    let latency = if failed { sample.failed_latency() } else { sample.service };
    let parts = sample.timings.parts();
    values_of(|source| match source {
        Source::Requests(protocol, figure) if protocol.is_none_or(|protocol| protocol == sample.protocol) => {
            Some(match figure {
                RequestFigure::Count => sign,
                RequestFigure::Failed => is(failed),
                RequestFigure::Duration => millis(latency),
                RequestFigure::Response => millis(sample.response),
                RequestFigure::Sent => sign * sample.bytes_sent as f64,
                RequestFigure::Received => sign * sample.bytes_received as f64,
            })
        }
        // Of a request without a response, the phases say nothing about the target.
        Source::RequestPhase(index) if sample.status != 0 && sample.protocol == Protocol::Http => {
            parts[index].map(ms)
        }
        _ => None,
    })
}

/// Whether something is so, as a value of a rate.
fn is(so: bool) -> f64 {
    f64::from(u8::from(so))
}

fn millis(time: Duration) -> f64 {
    ms(micros(time))
}

#[cfg(test)]
mod tests {
    use super::super::error_kind::ErrorKind;
    use super::super::sample::{Failure, TagId, Timings};
    use super::super::series::SeriesId;
    use super::*;

    fn request() -> RequestSample {
        RequestSample {
            protocol: Protocol::Http,
            series: SeriesId(0),
            tags: vec![TagId(0), TagId(1)],
            status: 200,
            service: Duration::from_millis(12),
            response: Duration::from_millis(15),
            timings: Timings { connecting: Some(Duration::from_millis(2)), ..Timings::default() },
            bytes_sent: 10,
            bytes_received: 100,
            failure: None,
        }
    }

    fn key(method: &str, name: &str) -> SeriesKey {
        SeriesKey { protocol: Protocol::Http, scenario: "s".into(), method: method.into(), name: name.into() }
    }

    fn shown(sample: Sample) -> (String, String) {
        let mask: Mask = Arc::new(|text: &str| text.contains("hush").then(|| text.replace("hush", "***")));
        let chunk = Chunk {
            source: 2,
            new_series: vec![key("GET", "/hush")],
            new_tags: vec![key("team", "hush"), key("status", "mine")],
            samples: vec![(SystemTime::UNIX_EPOCH, sample)],
        };
        let mut texts = Vec::new();
        SampleGroups::new(mask).each(chunk, |group| {
            let tags = group.tags.iter().map(|(key, value)| format!("{key}={value}"));
            let values = group.values.iter().map(|(metric, value)| format!("{}={value}", metric.name));
            texts.push((tags.collect::<Vec<_>>().join(" "), values.collect::<Vec<_>>().join(" ")));
        });
        texts.pop().unwrap()
    }

    #[test]
    fn a_request_has_its_parts_and_an_engines_tag_is_not_replaced() {
        let facts = RequestFacts {
            url: Some("http://h/hush?a=1".to_owned()),
            proto: Some("HTTP/2.0"),
            tls_version: Some("tls1.3"),
            ..RequestFacts::default()
        };
        let (tags, values) =
            shown(Sample::Request { sample: request(), facts: facts.into(), taken_back: false });
        assert_eq!(
            tags,
            "scenario=s method=GET name=/*** url=http://h/***?a=1 proto=HTTP/2.0 tls_version=tls1.3 status=200 \
             expected_response=true team=*** group="
        );
        assert_eq!(
            values,
            "http_reqs=1 http_req_failed=0 http_req_duration=12 http_resp_time=15 http_req_blocked=0 \
             http_req_connecting=2 http_req_sending=0 http_req_waiting=0 http_req_receiving=0 data_sent=10 \
             data_received=100"
        );
    }

    #[test]
    fn a_failure_says_why_and_one_that_is_taken_back_counts_down() {
        let failure = Failure { kind: ErrorKind::Refused, message: "hush refused".to_owned() };
        let sample = RequestSample { status: 0, failure: Some(Box::new(failure)), ..request() };
        let facts = Box::<RequestFacts>::default();
        let (tags, values) = shown(Sample::Request { sample, facts, taken_back: true });
        assert!(tags.contains("url=/*** status=0"), "a request with a name of its own: {tags}");
        let failed = "expected_response=false error=*** refused error_kind=refused error_code=1212";
        assert!(tags.contains(failed), "{tags}");
        assert!(tags.ends_with("taken_back=true group="), "{tags}");
        assert_eq!(
            values,
            "http_reqs=-1 http_req_failed=1 http_req_duration=15 http_resp_time=15 data_sent=-10 data_received=-100"
        );
    }

    #[test]
    fn errors_have_the_numbers_of_k6() {
        let code = |status, failure: Option<ErrorKind>, told| {
            let failure = failure.map(|kind| Box::new(Failure { kind, message: String::new() }));
            let facts = RequestFacts { error_code: told, ..RequestFacts::default() };
            error_code(&RequestSample { status, failure, ..request() }, &facts)
        };
        assert_eq!(code(404, Some(ErrorKind::Status), None), Some(1404));
        assert_eq!(code(404, None, None), Some(1404), "expected, and an error all the same");
        assert_eq!(code(503, Some(ErrorKind::Expect), None), Some(1503));
        assert_eq!(code(200, Some(ErrorKind::Expect), None), None);
        assert_eq!(code(200, None, Some(1212)), None, "the script made a success of it");
        assert_eq!(code(0, Some(ErrorKind::Timeout), Some(1211)), Some(1211));
        for (kind, number) in
            [("dns", 1100), ("refused", 1212), ("reset", 1220), ("timeout", 1050), ("tls", 1300)]
        {
            assert_eq!(code(0, Some(ErrorKind::from(Arc::from(kind))), None), Some(number));
        }
        assert_eq!(code(0, Some(ErrorKind::Other), None), Some(1000));
        assert_eq!(code(0, Some(ErrorKind::Named("own".into())), None), None);
    }

    #[test]
    fn other_samples() {
        let of = vec![("scenario".to_owned(), "s".to_owned()), ("name".to_owned(), "mine".to_owned())];
        let time = Duration::from_millis(3);
        for (sample, tags, values) in [
            (
                Sample::Iteration { scenario: "s".into(), duration: time, lag: time },
                "scenario=s group=",
                "iterations=1 iteration_duration=3 iteration_lag=3 iteration_resp_time=6",
            ),
            (
                Sample::Check { name: "c hush".into(), passed: true, of: of.clone() },
                "check=c *** scenario=s name=mine group=",
                "checks=1",
            ),
            (
                Sample::Transaction { name: "t".into(), duration: time, failed: true, of: of.clone() },
                "name=t scenario=s group=",
                "transactions=1 transaction_failed=1 transaction_duration=3",
            ),
            (
                Sample::Custom { metric: "m".into(), kind: MetricKind::Rate, is_time: false, value: 7.0, of },
                "scenario=s name=mine group=",
                "m=1",
            ),
            (Sample::ScriptError { message: "hush".to_owned() }, "error=***", "script_errors=1"),
            (Sample::Run { metric: "vus", kind: MetricKind::Gauge, value: 5.0 }, "", "vus=5"),
        ] {
            assert_eq!(shown(sample), (tags.to_owned(), values.to_owned()));
        }
    }
}
