//! A run under way: what it counts, and the snapshots that it gives.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{
    Aggregator, Failure, FailureSample, GeneratorPoint, GeneratorStats, Histogram, IntervalHistograms,
    IntervalKey, IntervalKind, IntervalSeries, IterationEnd, MetricKind, Phase, Recorder, RequestSample,
    Snapshot, Thresholds, Tick,
};
use crate::metrics::{
    CustomMetric, ErrorKind, Known, Protocol, RequestDetails, ThresholdText, Timings, resolve,
};

use crate::fixture::started_at;

/// A run under way: one recorder, one aggregator, and the time.
pub(crate) struct Load {
    pub(crate) recorder: Recorder,
    pub(crate) aggregator: Aggregator,
    pub(crate) at: Duration,
    pub(crate) phase: Option<Phase>,
    /// Iterations that were due so far, where that is known.
    pub(crate) due: Option<u64>,
}

impl Load {
    pub(crate) fn new() -> Self {
        Load::with(&[])
    }

    /// With limits on what is measured.
    pub(crate) fn with(limits: &[&str]) -> Self {
        let texts: Vec<ThresholdText> = limits.iter().map(|text| ThresholdText::new(*text, "here")).collect();
        let own = [("basket_value", MetricKind::Trend)].map(|(name, kind)| CustomMetric {
            name: name.into(),
            kind,
            is_time: false,
        });
        let known = Known { own: own.into(), ..Known::default() };
        let (thresholds, _) = resolve(&texts, &known).unwrap();
        let (thresholds, watches) = Thresholds::new(&thresholds, &known.own);
        let mut recorder = Recorder::new(1_000);
        recorder.watch(&watches);
        Load {
            recorder,
            aggregator: Aggregator::new(1, started_at()).with_thresholds(thresholds),
            at: Duration::ZERO,
            phase: None,
            due: None,
        }
    }

    pub(crate) fn request(
        &mut self,
        scenario: &str,
        target: (&str, &str),
        service_us: u64,
        verdict: Verdict,
    ) {
        let sample = self.sample(scenario, target, service_us, verdict);
        self.recorder.request_of(&sample, &Details(target.1, &sample));
    }

    pub(crate) fn sample(
        &mut self,
        scenario: &str,
        target: (&str, &str),
        service_us: u64,
        verdict: Verdict,
    ) -> RequestSample {
        let series = self.recorder.series(Protocol::Http, scenario, target.0, target.1);
        let tag = self.recorder.tag("team", "red");
        let service = Duration::from_micros(service_us);
        let (status, failure) = match verdict {
            Verdict::Ok => (200, None),
            Verdict::Failed(status, kind, message) => (
                status,
                Some(Box::new(Failure { kind: ErrorKind::from(Arc::from(kind)), message: message.into() })),
            ),
        };
        RequestSample {
            protocol: Protocol::Http,
            series,
            tags: vec![tag],
            status,
            service,
            response: service + Duration::from_micros(50),
            timings: Timings::waited(service),
            bytes_sent: 120,
            bytes_received: if status == 0 { 0 } else { 831 },
            failure,
        }
    }

    pub(crate) fn iteration(&mut self, scenario: &str, end: IterationEnd, us: u64) {
        let lag = Duration::from_micros(us / 1_000);
        self.recorder.iteration_started(&scenario.into());
        self.recorder.iteration(&scenario.into(), end, Duration::from_micros(us), lag);
    }

    pub(crate) fn close(&mut self, ms: u64, phase: Phase, users: u64) -> Snapshot {
        self.close_with(ms, phase, users, users / 2)
    }

    pub(crate) fn close_with(&mut self, ms: u64, phase: Phase, users: u64, in_flight: u64) -> Snapshot {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.aggregator.enter(self.at, phase, None);
        }
        self.at += Duration::from_millis(ms);
        assert!(self.aggregator.add(0, self.recorder.take()).is_ok());
        let planned = self.due.map(|due| ("browse".into(), due));
        let tick = Tick {
            paused: Duration::ZERO,
            at: self.at,
            phase,
            stage: None,
            planned: planned.into_iter().collect(),
            due: self.due,
            lever: None,
            users,
            users_peak: users,
            users_target: 10,
            in_flight,
            interrupted_requests: 0,
        };
        fixed_moments(self.aggregator.close_interval(tick))
    }
}

/// The verdict on a request that is made up.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    Ok,
    Failed(u16, &'static str, &'static str),
}

/// What is known of a request with this name.
struct Details<'a>(&'a str, &'a RequestSample);

impl RequestDetails for Details<'_> {
    fn shown(&self) -> Option<FailureSample> {
        Some(shown(self.0, self.1.failure.as_deref()?))
    }
}

/// A failed request with a body that a browser must not take for its own.
fn shown(name: &str, failure: &Failure) -> FailureSample {
    let body = format!("<h1>{}</h1>\n<script>alert(1)</script>\n", failure.message);
    FailureSample {
        seen: started_at(),
        url: format!("http://127.0.0.1:8000{name}?page=2"),
        message: failure.message.clone(),
        body_bytes: body.len() as u64 + 5_000,
        body: Some(body),
    }
}

/// Replaces the moments of the test by moments of the run, so that goldens stay the same.
fn fixed_moments(mut snapshot: Snapshot) -> Snapshot {
    for (index, (_, failure)) in snapshot.failures.iter_mut().enumerate() {
        failure.first_seen = started_at() + Duration::from_secs(1 + index as u64);
        failure.last_seen = started_at() + Duration::from_secs(9);
    }
    for (index, error) in snapshot.script_errors.iter_mut().enumerate() {
        error.first_seen = started_at() + Duration::from_secs(2 + index as u64);
        error.last_seen = started_at() + Duration::from_secs(8);
    }
    // Machines differ, and the recorder alone uses no CPU time.
    let mut lateness = Histogram::new();
    (1..=100).for_each(|n| lateness.record(n * 10 / 11));
    snapshot.generator = GeneratorStats {
        cores: 2.0,
        threads: 2,
        cpu: Some(0.123),
        cpu_max: Some(0.31),
        busiest_worker: Some(0.14),
        lateness: lateness.summary(),
        seconds: snapshot.elapsed.as_secs(),
        saturated_seconds: 0,
        now: GeneratorPoint {
            cpu: Some(0.11),
            busiest_worker: Some(0.13),
            lateness_p99_us: Some(90),
            machine: None,
        },
        ..GeneratorStats::default()
    };
    // A worker hands its checks over in the order of a hash map.
    snapshot.checks.sort_by(|(a, _), (b, _)| a.cmp(b));
    snapshot
}

/// A successful request of 1 ms in each of these series, counted in this second.
pub(crate) fn second_of(second: u64, series: impl IntoIterator<Item = IntervalSeries>) -> IntervalHistograms {
    let (from, to) = (Duration::from_secs(second), Duration::from_secs(second + 1));
    let mut interval = IntervalHistograms { from, to, ..IntervalHistograms::default() };
    let mut values = Histogram::new();
    for series in series {
        values.record(1_000);
        let key = IntervalKey { series, kind: IntervalKind::Ok, taken_back: false };
        interval.add(key, &values.take_sparse());
    }
    interval
}
