//! Runs made up for tests, counted by the real recorder and aggregator so that their totals are real.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::analysis::TrendPoint;
use crate::metrics::{
    AgentLoss, AgentState, AgentStats, CapacityStats, CapacityStep, GeneratorPoint, GeneratorStats,
    IntervalHistograms, IterationEnd, MetricKind, NotHeld, Phase, ProcessUse, Recorder, ResourceBatch,
    ResourceInfo, ResourceSample, ScriptError, Snapshot, SystemUse, ThresholdState, ThresholdStats,
};
use crate::metrics::{Known, Quantity, Tagged, ThresholdText, resolve};
use crate::plan::{Commit, EndedBy, FailsOn, Machine, Origin, RunInfo, RunRecord, Terminals};

pub(crate) use crate::fixture_load::{Load, Verdict};

/// 2026-11-23T17:45:04.250Z
pub(crate) fn started_at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_455_904_250)
}

/// The record of a run that ended so, or goes on.
pub(crate) fn record(ended_by: impl Into<Option<EndedBy>>, snapshot: &Snapshot) -> RunRecord {
    RunRecord::new(info(), ended_by, snapshot.clone())
}

pub(crate) fn info() -> RunInfo {
    RunInfo {
        name: "shop".into(),
        script: PathBuf::from("scripts/shop.rhai"),
        files: vec![
            ("scripts/shop.rhai".into(), "fn iteration() {}\n".into()),
            ("std/auth".into(), "// auth\n".into()),
            ("../lib/x.rhai".into(), "// x\n".into()),
        ],
        host: Some("http://127.0.0.1:8000".into()),
        users: 10,
        spawn_rate: 5.0,
        run_time: Some(Duration::from_secs(12)),
        iterations: None,
        stop_timeout: Duration::from_secs(30),
        seed: 7,
        threads: 2,
        scenarios: vec![("browse".into(), 8), ("buy".into(), 2)],
        executors: vec!["users".into(), "users".into()],
        planned: Some(Duration::from_secs(12)),
        params: vec![("token".into(), "***".into())],
        started_at: started_at(),
        is_trial: false,
        fails_on: FailsOn::default(),
        http_version: "auto".into(),
        machine: Machine {
            os: "linux".into(),
            os_version: Some("Linux (Debian GNU/Linux 12)".into()),
            arch: "x86_64".into(),
            cores: 2,
            cpu: Some("Example CPU 3.0 GHz".into()),
            memory_bytes: Some(24_000_000_000),
        },
        origin: Origin {
            command: ["rhaid", "run", "scripts/shop.rhai", "--note", "cache is cold", "-e", "TOKEN=***"]
                .map(str::to_owned)
                .into(),
            commit: Some(Commit {
                hash: "0123456789abcdef0123456789abcdef01234567".into(),
                branch: Some("main".into()),
                has_changes: Some(true),
            }),
            label: Some("staging".into()),
            notes: vec!["cache is cold".into()],
            profile: None,
        },
        terminals: Terminals::default(),
    }
}

/// A limit that was measured so.
pub(crate) fn limit(text: &str, measured: Option<f64>) -> ThresholdStats {
    let texts = [ThresholdText::new(text, "test")];
    let (thresholds, _) = resolve(&texts, &Known::default()).unwrap();
    ThresholdStats {
        threshold: Arc::new(thresholds[0].clone()),
        kind: MetricKind::Trend,
        measured,
        state: ThresholdState::Pending,
        first_broken: None,
        in_breach: false,
        breaches: 0,
        aborted: false,
        in_steady: None,
    }
}

/// A step of a search, so high and measured so, that held unless there is a reason.
pub(crate) fn capacity_step(rate: f64, measured: Option<f64>, why_not: Option<NotHeld>) -> CapacityStep {
    CapacityStep {
        rate,
        started_rate: rate,
        request_rate: rate * 2.0,
        measured,
        failed_share: measured.map(|_| 0.0025),
        failed_iterations: None,
        from: Duration::from_secs(2),
        to: Duration::from_secs(12),
        why_not,
        generator_saturated: false,
        saturated_agents: Vec::new(),
    }
}

/// A search that is over: all reasons for which a rate does not hold, and values that span two powers of ten.
pub(crate) fn capacity() -> CapacityStats {
    let steps = [
        capacity_step(80.0, Some(9.5), None),
        CapacityStep {
            generator_saturated: true,
            failed_share: Some(0.5),
            ..capacity_step(160.0, Some(810.0), Some(NotHeld::LimitBroken))
        },
        capacity_step(120.0, Some(95.5), None),
        CapacityStep {
            started_rate: 131.0,
            ..capacity_step(140.0, Some(181.0), Some(NotHeld::RateNotReached))
        },
        capacity_step(170.0, None, Some(NotHeld::NothingMeasured)),
    ];
    CapacityStats {
        limit: "http_resp_time: p(95) < 200ms".into(),
        quantity: Some(Quantity::Time),
        limit_value: Some(200.0),
        steps: steps.into(),
        trying: None,
        best: Some(120.0),
        is_at_max: false,
    }
}

/// A name that holds everything that has broken a CSV, a page or a terminal before.
pub(crate) const NASTY: &str = "/a,\"b\"\n<script>\u{1b}[31m;=1+1";

/// A run of 12.4 s, a snapshot a second and one for the last part of a second. Second 6 is a stall.
pub(crate) fn snapshots() -> Vec<Snapshot> {
    run(Load::new())
}

/// The same run with limits: kept, broken, broken for a while, without data.
pub(crate) fn limited() -> Vec<Snapshot> {
    run(Load::with(&[
        "http_req_duration: p(95) < 200ms",
        "http_req_failed: rate < 0.1% abort after 1h",
        "http_req_duration{name:/health,method:GET}: p(99.9) < 4.805ms over 3s",
        "http_req_duration{name:/nosuch}: p(95) < 1s",
        "http_reqs: rate > 105/s",
        "checks: rate > 80% in steady",
        "http_reqs{name:'/<script>|`é',status:500}: count < 5",
        "basket_value: max < 1e6",
        "vus: max <= 10",
    ]))
}

/// The same run with these limits.
pub(crate) fn limited_by(limits: &[&str]) -> Vec<Snapshot> {
    run(Load::with(limits))
}

/// The same run as one of an open load: 100 iterations are due in the first second, 200 in each one after it, none at the end.
pub(crate) fn open() -> Vec<Snapshot> {
    run(Load { due: Some(0), ..Load::new() })
}

fn run(mut load: Load) -> Vec<Snapshot> {
    let mut snapshots = Vec::new();
    for second in 1..=13_u64 {
        let (ms, phase) = match second {
            1..=2 => (1_000, Phase::RampUp),
            3..=12 => (1_000, Phase::Steady),
            _ => (400, Phase::Done),
        };
        if let Some(due) = &mut load.due {
            *due += match second {
                1 => 100,
                13 => 0,
                _ => 200,
            };
        }
        if second != 6 {
            one_second(&mut load, second);
        }
        let users = if second == 13 {
            load.aggregator.end();
            0
        } else {
            (second * 5).min(10)
        };
        snapshots.push(load.close(ms, phase, users));
    }
    snapshots
}

/// Two requests of one endpoint; the verdict on the first is changed in the second after.
pub(crate) fn changed_verdicts() -> Vec<Snapshot> {
    let mut load = Load::new();
    for endpoint in 0..10 {
        load.request("browse", ("GET", &format!("/{endpoint}")), 5_000, Verdict::Ok);
    }
    let sample = load.sample("browse", ("GET", "/late"), 7_000, Verdict::Ok);
    load.recorder.request(&sample);
    load.recorder.request(&sample);
    let first = load.close(1_000, Phase::Steady, 1);
    load.recorder.reverse(&sample, &());
    load.request("browse", ("GET", "/late"), 7_000, Verdict::Failed(200, "expect", "no"));
    vec![first, load.close(1_000, Phase::Steady, 1)]
}

/// So many endpoints, each with one request a second.
pub(crate) fn many_endpoints(endpoints: u64, seconds: u64) -> Vec<Snapshot> {
    let mut load = Load::new();
    let mut snapshots = Vec::new();
    for second in 1..=seconds {
        for endpoint in 0..endpoints {
            let us = 1_000 + (endpoint * 37 + second * 101) % 40_000;
            load.request("browse", ("GET", &format!("/endpoint/{endpoint}")), us, Verdict::Ok);
        }
        snapshots.push(load.close(1_000, Phase::Steady, 10));
    }
    snapshots
}

/// Half a minute in which the target stalls for two seconds, one of its fourteen endpoints fails now and then, another always,
/// and its memory grows.
pub(crate) fn troubled() -> Snapshot {
    let mut load = Load::with(&["http_req_duration: p(95) < 100ms", "http_req_failed: rate < 5%"]);
    let info = ResourceInfo {
        cores: 2,
        target: Some("shop (pid 812, listening on port 8443)".into()),
        ..ResourceInfo::default()
    };
    let mut last = empty();
    for second in 1..=30_u64 {
        let is_stalled = (12..=13).contains(&second);
        for endpoint in 0..if is_stalled { 0 } else { 14_u64 } {
            let name = format!(
                "/api/v2/customers/{{id}}/{}",
                ["orders", "basket", "invoices/latest"][endpoint as usize % 3]
            );
            let name = format!("{name}/{endpoint}");
            let requests = 15 - endpoint;
            for request in 0..requests {
                let verdict = match (endpoint, (second * requests + request) % 5) {
                    (3, 0) => Verdict::Failed(500, "status", "500 Internal Server Error: out of memory"),
                    (13, _) => Verdict::Failed(0, "timeout", "no response in 3s"),
                    _ => Verdict::Ok,
                };
                load.request("browse", ("GET", &name), 4_000 + 900 * endpoint + 311 * request, verdict);
            }
        }
        load.aggregator.add_resources(ResourceBatch {
            info: Some(Arc::new(info.clone())),
            samples: vec![resource_sample(second)],
            events: Vec::new(),
        });
        last = load.close_with(1_000, Phase::Steady, 20, if is_stalled { 20 } else { 4 });
    }
    last
}

/// A run as one sees it: a snapshot every `step_s` seconds, each endpoint with requests in most of them, a tenth of
/// the endpoints with failures and their messages, a step without a request, checks, own metrics, limits, and a target that leaks.
/// The last snapshot, and all intervals.
pub(crate) fn long_run(endpoints: u64, seconds: u64, step_s: u64) -> (Snapshot, Vec<IntervalHistograms>) {
    let mut load = Load::with(&[
        "http_req_duration: p(95) < 200ms",
        "http_req_failed: rate < 0.1%",
        "http_req_duration{name:/api/v2/shop/1/orders}: p(99) < 100ms over 10s",
        "http_reqs: rate > 5/s in steady",
        "checks: rate > 99%",
        "target_cpu: avg < 150%",
        "system_cpu: max < 100%",
        "target_memory: max < 200MB",
    ]);
    let names: Vec<(&str, String)> = (0..endpoints)
        .map(|endpoint| {
            let method = ["GET", "GET", "POST", "PUT", "DELETE"][endpoint as usize % 5];
            (
                method,
                format!(
                    "/api/v2/shop/{endpoint}/{}",
                    ["orders", "customers/{id}", "basket"][endpoint as usize % 3]
                ),
            )
        })
        .collect();
    let mut taker = None;
    let mut intervals = Vec::new();
    let mut last = empty();
    for step in 1..=seconds / step_s {
        let at = step * step_s;
        for (endpoint, (method, name)) in (0..).zip(&names) {
            let mixed = (endpoint * 7_919 + step * 104_729) % 10_007;
            // Now and then a step without one, and one without any.
            if mixed % 9 == 0 || step == seconds / step_s / 2 {
                continue;
            }
            for i in 0..1 + (mixed + endpoint) % 5 {
                let us = 900 + (endpoint % 40) * 1_531 + (mixed * (i + 3)) % 29_989;
                let verdict = match (endpoint % 10, mixed % 6) {
                    (3, 0) => Verdict::Failed(
                        503,
                        "status",
                        "503 Service Unavailable: no worker took the request within 2s",
                    ),
                    (3, 1) => Verdict::Failed(0, "timeout", "no response in 3s"),
                    (7, 0) if i == 0 => {
                        Verdict::Failed(200, "expect", "expected body.total to be 12.5, got null")
                    }
                    _ => Verdict::Ok,
                };
                load.request("browse", (method, name), us, verdict);
            }
        }
        for check in 0..12_u64 {
            load.recorder.check(
                &format!("answer {check} is complete"),
                !(step + check).is_multiple_of(50),
                &(),
            );
        }
        custom(&mut load.recorder, at);
        load.iteration("browse", IterationEnd::Completed, 150_000);
        let from_s = at - step_s;
        let samples = (from_s + 1..=at).map(resource_sample).collect();
        let info =
            ResourceInfo { cores: 2, target: Some("shop (pid 812)".into()), ..ResourceInfo::default() };
        load.aggregator.add_resources(ResourceBatch {
            info: Some(Arc::new(info)),
            samples,
            events: Vec::new(),
        });
        let users = (at * 2).min(400);
        let phase = if users < 400 { Phase::RampUp } else { Phase::Steady };
        last = load.close_with(step_s * 1_000, phase, users, users / 3 + at % 7);
        let taker = taker.get_or_insert_with(|| last.intervals.taker());
        intervals.extend(taker.take());
    }
    (last, intervals)
}

fn resource_sample(second: u64) -> ResourceSample {
    let wobble = (second * 7_919 % 1_009) as f64 / 1_009.0;
    let process = |cpu, memory| ProcessUse {
        processes: 1,
        cpu: Some(cpu),
        memory,
        threads: Some(9),
        fds: Some(40 + second % 13),
        ..ProcessUse::default()
    };
    ResourceSample {
        at: Duration::from_secs(second),
        length: Duration::from_secs(1),
        system: SystemUse {
            cpu: Some(40.0 + 20.0 * wobble),
            memory: Some(2_800_000_000),
            net_sent: Some(210_233.36 * (1.0 + wobble)),
            net_received: Some(397_657.55 * (1.0 + wobble)),
            ..SystemUse::default()
        },
        generator: Some(process(30.0 + 9.0 * wobble, 80_138_240)),
        target: Some(process(88.0 + 30.0 * wobble, 120_000_000 + second * 200_000 + (wobble * 4e6) as u64)),
    }
}

fn one_second(load: &mut Load, second: u64) {
    for i in 0..100_u64 {
        let spread = (i * 37 + second * 11) % 100;
        load.request("browse", ("GET", "/health"), 350 + spread * 45, Verdict::Ok);
    }
    for i in 0..10_u64 {
        let slow = if i == 9 { 1_500_000 } else { 80_000 + i * 1_100 };
        load.request("buy", ("POST", "/quality/analyze"), slow, Verdict::Ok);
        load.iteration("browse", IterationEnd::Completed, slow + 4_000);
    }
    if second == 3 || second == 9 {
        load.request(
            "buy",
            ("GET", "/quality/export"),
            160_000,
            Verdict::Failed(500, "status", "500 Internal Server Error\u{1b}[2J: <b>out of\nmemory</b>"),
        );
        load.request(
            "buy",
            ("GET", "/quality/export"),
            3_000_000,
            Verdict::Failed(0, "timeout", "no response in 3s"),
        );
        load.iteration("buy", IterationEnd::Failed, 2_000);
        load.recorder.script_error(&ScriptError {
            message: "unknown function 'nosuch(i64)' — did you mean 'noisy'?".into(),
            position: "scripts/shop.rhai:11:42".into(),
            trace: "   11 |\tlet x = nosuch(1);\n      |\t        ^\nvirtual user 3, iteration 2".into(),
        });
    }
    if second == 13 {
        load.request("browse", ("GET", NASTY), 5_000, Verdict::Ok);
        load.iteration("browse", IterationEnd::Interrupted, 0);
    }
    load.recorder.transaction("buy | pay", Duration::from_millis(80 + second * 10), second == 5, &());
    custom(&mut load.recorder, second);
    load.recorder.check("status is 200", true, &());
    load.recorder.group("::shop", true);
    load.recorder.group("::shop::empty", true);
    load.recorder.check("body has an id", !second.is_multiple_of(4), &InGroup("::shop"));
}

/// Somewhere in a group of the script.
struct InGroup(&'static str);

impl Tagged for InGroup {
    fn tag(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn group(&self) -> Option<Arc<str>> {
        Some(self.0.into())
    }
}

/// A metric of each kind.
fn custom(recorder: &mut Recorder, second: u64) {
    let value = second as f64;
    let tags = [("shop".to_owned(), if second.is_multiple_of(2) { "a" } else { "b" }.to_owned())];
    let mut add = |name: &str, kind, is_time, value| {
        let id = recorder.custom(name, kind, is_time).unwrap();
        recorder.custom_value(id, value, &tags, &()).unwrap();
    };
    add("orders", MetricKind::Counter, false, value);
    add("queue_length", MetricKind::Gauge, false, 20.0 - value);
    add("cache_hit", MetricKind::Rate, false, f64::from(second != 4));
    add("basket_value", MetricKind::Trend, false, value * 12_345.678);
    add("render_time", MetricKind::Trend, true, value * 1.25);
}

/// The final snapshot of [`snapshots`].
pub(crate) fn finished() -> Snapshot {
    snapshots().pop().unwrap()
}

/// The same run on four agents: one that was lost for a while, one that was saturated, one that did not come back, and one that
/// was never heard.
pub(crate) fn distributed() -> Snapshot {
    let mut run = finished();
    let fine = run.generator.clone();
    let agent = |name: &str, ahead_us, within_us, generator: GeneratorStats| AgentStats {
        name: name.to_owned(),
        threads: 1,
        share: 1.0 / 3.0,
        users_max: 4,
        requests: 562,
        intervals: 13,
        clock_offset_us: Some(ahead_us),
        clock_within_us: Some(within_us),
        generator: Some(generator),
        state: AgentState::Done,
        ..AgentStats::default()
    };
    let loss = |at, reason: &str, until: Option<u64>| AgentLoss {
        at: Duration::from_secs(at),
        reason: reason.to_owned(),
        until: until.map(Duration::from_secs),
    };
    let busy = GeneratorStats {
        cpu: Some(0.98),
        cpu_max: Some(0.995),
        busy_seconds: (11, 11),
        saturated_seconds: 11,
        now: GeneratorPoint { cpu: Some(0.97), ..GeneratorPoint::default() },
        ..fine.clone()
    };
    let a1 = AgentStats {
        requests: 561,
        losses: vec![loss(2, "nothing was heard of it for 3.2 s", Some(5))],
        ..agent("a1", 0, 85, fine.clone())
    };
    let a3 = AgentStats {
        state: AgentState::Lost,
        share: 0.0,
        intervals: 5,
        requests: 202,
        losses: vec![loss(6, "nothing was heard of it for 4.1 s", None)],
        ..agent("a3", -1_500, 110, fine)
    };
    let a4 = AgentStats { name: "a4".to_owned(), threads: 1, ..AgentStats::default() };
    run.agents = vec![a1, agent("a2", 2_000_000, 190, busy.clone()), a3, a4];
    run.generator = busy;
    run
}

/// A run that was over before anything happened.
pub(crate) fn empty() -> Snapshot {
    Load::new().close(0, Phase::Done, 0)
}

/// A run of 0.4 s with three requests.
pub(crate) fn partial_second() -> Snapshot {
    let mut load = Load::new();
    for us in [900, 1_100, 5_000] {
        load.request("browse", ("GET", "/health"), us, Verdict::Ok);
    }
    load.close(400, Phase::Done, 1)
}

/// Compares with a file of `tests/goldens/report`; `RHAID_BLESS=1` rewrites it.
pub(crate) fn assert_golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/report").join(name);
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == actual,
        "{} differs; if that is meant, run the tests with RHAID_BLESS=1\n--- golden\n{golden}\n--- now\n{actual}",
        path.display()
    );
}

/// The last runs of a test, each a little slower than the one before, with a change of the load at every seventh.
pub(crate) fn last_runs(number: u64) -> Vec<TrendPoint> {
    let point = |index: u64| TrendPoint {
        folder: format!("2026-11-{:02}T17-45-04Z_shop", index + 1),
        name: "shop".into(),
        started_at: format!("2026-11-{:02}T17:45:04Z", index + 1),
        users: Some(10),
        users_max: Some(10),
        planned: (Some(12.0), None),
        profile: None,
        report: None,
        requests: 12_345 + index,
        rate: 120.0 + index as f64,
        failed_share: Some(0.012),
        latency_ms: (index != 3).then_some([20.0, 80.0 + index as f64, 150.0]),
        passed: Some(!index.is_multiple_of(5)),
        commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
        unlike: if index % 7 == 6 {
            vec!["the number of users differs: 5 before, 10 after".into()]
        } else {
            Vec::new()
        },
    };
    (0..number).map(point).collect()
}
