//! The state of a run at one instant: the data from which all outputs are made.
//!
//! Pure data. Terminal, JSON, CSV, report and web page read the same snapshot, so their numbers agree. Invariant:
//! `total` is the sum of `endpoints`; a figure without data is `None`.

use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use super::agents::AgentStats;
use super::blocking::BlockingStats;
use super::capacity::CapacityStats;
use super::check_groups::CheckGroup;
use super::counts::RequestCounts;
use super::custom::CustomStats;
use super::generator::{GeneratorPoint, GeneratorStats};
use super::groups::{CheckCount, FailureCount, FailureKey, NotEnded, ScriptErrorCount};
use super::histogram::Summary;
use super::intervals::IntervalFeed;
use super::resources::Resources;
use super::sample::{PHASES, Protocol};
use super::sample_files::SampleFileStats;
use super::threshold::{SubmetricStats, ThresholdState, ThresholdStats};

/// The name of all requests together.
pub(super) const AGGREGATED: &str = "Aggregated";

/// The state of a run's figures at one instant.
///
/// Snapshots stored by older versions can be read: figures added since are treated as missing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Snapshot {
    /// When the load started.
    pub started_at: SystemTime,
    /// Time since then; whole seconds except in the last snapshot.
    pub elapsed: Duration,
    /// What the run is doing.
    pub phase: Phase,
    /// Name of the stage of the load, if it has one.
    pub stage: Option<Arc<str>>,
    /// Running virtual users.
    pub users: u64,
    /// Target number of virtual users.
    pub users_target: u64,
    /// What a change of the load as a whole can change now; `None` when nothing runs, or several loads that are changed by name.
    pub lever: Option<Lever>,
    /// Maximum number of running virtual users.
    pub users_max: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// All requests together, of every protocol; its `method` is empty and its `name` is `Aggregated`.
    pub total: EndpointStats,
    /// The same for each protocol that requests were made over, in the order of [`Protocol::ALL`].
    pub protocols: Vec<EndpointStats>,
    /// Requests by method and name, sorted by name, then method.
    pub endpoints: Vec<EndpointStats>,
    /// Requests by scenario, in order of first appearance.
    pub scenarios: Vec<ScenarioStats>,
    /// Requests by `key:value` tag, in order of first appearance.
    pub tags: Vec<TagStats>,
    /// The last ten seconds.
    pub recent: RecentStats,
    /// Peak of completed requests per second; `None` before the first full second.
    pub peak_rate: Option<f64>,
    /// Time of each phase of an HTTP request, in the order of [`PHASES`].
    pub phases: [Option<Summary>; PHASES.len()],
    /// Iterations.
    pub iterations: IterationStats,
    /// Checks by name, in order of first appearance.
    pub checks: Vec<(Arc<str>, CheckCount)>,
    /// The same by the groups (`group`) of the script, in order of first appearance, with the groups that have none.
    pub check_groups: Vec<CheckGroup>,
    /// Transactions (`measure`) by name, sorted by it; their `method` is `TX`, and they are no requests.
    pub transactions: Vec<EndpointStats>,
    /// All transactions together; `None` when there is none.
    pub transaction_total: Option<EndpointStats>,
    /// The custom metrics of the script, sorted by name, each followed by its values by tag.
    pub custom: Vec<CustomStats>,
    /// Failed requests by cause, most frequent first.
    pub failures: Vec<(FailureKey, FailureCount)>,
    /// Script errors by message and place, most frequent first.
    pub script_errors: Vec<ScriptErrorCount>,
    /// Events during the run besides its load, such as a reload of the script; at most a hundred.
    pub marks: Vec<Mark>,
    /// Notes on the generated load, one sentence each; known at the end.
    pub notes: Vec<String>,
    /// The phases and named stages of the load so far, in order.
    pub spans: Vec<PhaseSpan>,
    /// Requests in flight that were interrupted when the run stopped.
    pub interrupted_requests: u64,
    /// Set when the cap on series was reached and later names were counted as `(other)`.
    pub series_folded: bool,
    /// Set when there were more different failures, script errors or checks than are kept apart, so that later ones
    /// were counted as `(other)`.
    pub groups_folded: bool,
    /// How many names and messages were too long and were cut when they were recorded.
    pub texts_cut: u64,
    /// Transactions that were begun with `metrics::start` and not ended.
    pub not_ended: Option<NotEnded>,
    /// How well the load generator kept up; in a distributed run, the agent that did worst.
    pub generator: GeneratorStats,
    /// The machines of a distributed run, in the order of their numbers; empty when the run is in one process.
    pub agents: Vec<AgentStats>,
    /// What kept worker threads from their virtual users.
    pub blocking: BlockingStats,
    /// The results of the capacity search, if the load is one.
    pub capacity: Option<Arc<CapacityStats>>,
    /// Thresholds, in the order in which they were set.
    pub thresholds: Vec<ThresholdStats>,
    /// Figures of the submetrics and gauges used in thresholds.
    pub submetrics: Vec<SubmetricStats>,
    /// The files that samples were written to, and how many samples are missing; known at the end.
    pub samples: Vec<SampleFileStats>,
    /// Second by second since the start.
    #[serde(skip)]
    pub history: History,
    /// The histograms behind it, for the one who writes them down; all snapshots of a run share them.
    #[serde(skip)]
    pub intervals: IntervalFeed,
    /// CPU, memory, network and disk of machine, generator and target.
    pub resources: Resources,
}

impl Default for Snapshot {
    /// Nothing was counted, and the run is over: what is stored was.
    fn default() -> Snapshot {
        Snapshot {
            started_at: SystemTime::UNIX_EPOCH,
            elapsed: Duration::ZERO,
            phase: Phase::Done,
            stage: None,
            users: 0,
            users_target: 0,
            lever: None,
            users_max: 0,
            in_flight: 0,
            total: EndpointStats { name: AGGREGATED.into(), ..EndpointStats::default() },
            protocols: Vec::new(),
            endpoints: Vec::new(),
            scenarios: Vec::new(),
            tags: Vec::new(),
            recent: RecentStats::default(),
            peak_rate: None,
            phases: [None; PHASES.len()],
            iterations: IterationStats::default(),
            checks: Vec::new(),
            check_groups: Vec::new(),
            transactions: Vec::new(),
            transaction_total: None,
            custom: Vec::new(),
            failures: Vec::new(),
            script_errors: Vec::new(),
            marks: Vec::new(),
            notes: Vec::new(),
            spans: Vec::new(),
            interrupted_requests: 0,
            series_folded: false,
            groups_folded: false,
            texts_cut: 0,
            not_ended: None,
            generator: GeneratorStats::default(),
            agents: Vec::new(),
            blocking: BlockingStats::default(),
            capacity: None,
            thresholds: Vec::new(),
            submetrics: Vec::new(),
            samples: Vec::new(),
            history: History::default(),
            intervals: IntervalFeed::default(),
            resources: Resources::default(),
        }
    }
}

impl Snapshot {
    /// The requests over one protocol together; nothing when there was none.
    pub fn protocol(&self, protocol: Protocol) -> EndpointStats {
        let known = self.protocols.iter().find(|stats| stats.protocol == protocol);
        known.cloned().unwrap_or_else(|| EndpointStats { protocol, ..EndpointStats::default() })
    }

    /// Thresholds that are not met: breached ones, and, after the run, those without data.
    pub fn broken_thresholds(&self) -> impl Iterator<Item = &ThresholdStats> {
        let is_over = self.phase == Phase::Done;
        self.thresholds.iter().filter(move |stats| match stats.state {
            ThresholdState::Broken => true,
            ThresholdState::NoData | ThresholdState::Pending => is_over,
            ThresholdState::Holds => false,
        })
    }
}

/// A period of a run in one phase and one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PhaseSpan {
    /// What the run was doing.
    pub phase: Phase,
    /// Name of the stage, if it has one.
    pub stage: Option<Arc<str>>,
    /// Its start, as time since the load started.
    pub from: Duration,
    /// Its end; `None` while it is running.
    pub to: Option<Duration>,
}

/// An event of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mark {
    /// Time since the load began.
    pub at: Duration,
    /// What happened, in a few words.
    pub text: String,
}

/// What of a load can be changed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lever {
    /// Its number of users.
    Users,
    /// Its rate.
    Rate,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Phase {
    /// `setup` runs, or virtual users are being prepared.
    Starting,
    /// Virtual users are being added.
    RampUp,
    /// All virtual users are running.
    Steady,
    /// The load is paused: no iteration starts, and its clock stands still.
    Paused,
    /// Virtual users are being stopped, or the run waits for the last iterations.
    RampDown,
    /// The run is over.
    Done,
}

impl Phase {
    /// The phase of a word; `None` for another word.
    pub fn from_word(word: &str) -> Option<Phase> {
        [Phase::Starting, Phase::RampUp, Phase::Steady, Phase::Paused, Phase::RampDown, Phase::Done]
            .into_iter()
            .find(|phase| phase.as_str() == word)
    }

    /// The word that outputs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::RampUp => "ramp-up",
            Phase::Steady => "steady",
            Phase::Paused => "paused",
            Phase::RampDown => "ramp-down",
            Phase::Done => "done",
        }
    }
}

/// Figures of one kind of request; reads as its counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EndpointStats {
    /// What its requests are made over; in a total over several, HTTP.
    pub protocol: Protocol,
    /// Method; empty in the total.
    pub method: Arc<str>,
    /// Name of the request.
    pub name: Arc<str>,
    /// What was counted.
    #[serde(flatten)]
    pub counts: RequestCounts<Option<Summary>>,
    /// Requests per second over the whole run so far.
    pub rate: f64,
    /// Failures per second over the whole run so far.
    pub failure_rate: f64,
}

impl Deref for EndpointStats {
    type Target = RequestCounts<Option<Summary>>;

    fn deref(&self) -> &Self::Target {
        &self.counts
    }
}

impl DerefMut for EndpointStats {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.counts
    }
}

/// Figures of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ScenarioStats {
    /// Name of the scenario.
    pub name: Arc<str>,
    /// Its iterations.
    pub iterations: IterationStats,
    /// Its requests.
    pub requests: EndpointStats,
}

/// Figures of the requests with one tag.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TagStats {
    /// Key of the tag.
    pub key: Arc<str>,
    /// Value of the tag.
    pub value: Arc<str>,
    /// Its requests.
    pub requests: EndpointStats,
}

/// The last seconds of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RecentStats {
    /// How many seconds it covers, at most ten; 0 before the first full second.
    pub seconds: u32,
    /// Requests per second; `None` before the first full second.
    pub rate: Option<f64>,
    /// Share of failed requests; `None` without a request.
    pub failed_share: Option<f64>,
    /// Service time of the successes.
    pub ok: Option<Summary>,
}

/// Figures of the iterations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct IterationStats {
    /// Iterations due so far; `None` where iterations start when a user is free, so that none is ever due.
    pub planned: Option<u64>,
    /// Iterations started.
    pub started: u64,
    /// Iterations that were due but never started: no user was free (`late: "drop"`), or the run ended first.
    pub dropped: u64,
    /// Completed iterations.
    pub completed: u64,
    /// Iterations that failed with a script error or `fail`.
    pub failed: u64,
    /// Iterations interrupted by the end of the run.
    pub interrupted: u64,
    /// Duration of iterations, without interrupted ones.
    pub duration: Option<Summary>,
    /// Delay from due to start.
    pub lag: Option<Summary>,
    /// Time from due to end.
    pub response: Option<Summary>,
}

impl IterationStats {
    /// Iterations that ended by themselves.
    pub fn ended(&self) -> u64 {
        self.completed + self.failed
    }
}

/// One second of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryPoint {
    /// End of the second, as time since the start; the last one may be shorter.
    pub at: Duration,
    /// Length of the interval.
    pub length: Duration,
    /// What the run was doing in most of it.
    pub phase: Phase,
    /// Name of the stage that the load was in then, if it has one.
    pub stage: Option<Arc<str>>,
    /// Virtual users at its end.
    pub users: u64,
    /// Most virtual users within it.
    #[serde(default)]
    pub users_peak: u64,
    /// Virtual users that should run at its end.
    pub users_target: u64,
    /// Requests in flight at its end.
    pub in_flight: u64,
    /// Iterations that were due until its end, where that is known.
    pub iterations_planned: Option<u64>,
    /// Iterations that were begun until its end.
    pub iterations_started: u64,
    /// Iterations that were due until its end and are never begun.
    pub dropped_iterations: u64,
    /// All requests of the interval.
    pub total: IntervalStats,
    /// Requests of the interval by method and name; only those that had any. Kept for the last five minutes: what is older
    /// is in the interval log, and an hour of 500 endpoints would take hundreds of megabytes.
    pub endpoints: Vec<(Arc<str>, Arc<str>, IntervalStats)>,
    /// The load generator in it.
    pub generator: GeneratorPoint,
    /// Running totals at its end.
    pub so_far: TotalsSoFar,
}

/// Requests of one interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IntervalStats {
    /// Requests that got their verdict in it.
    pub requests: i64,
    /// Those of them that failed.
    pub failures: i64,
    /// Service time of the successes.
    pub ok: Option<Summary>,
}

/// Figures since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TotalsSoFar {
    /// Requests.
    pub requests: u64,
    /// Failures.
    pub failures: u64,
    /// Service time of the successes.
    pub ok: Option<Summary>,
    /// Bytes read.
    pub bytes_received: u64,
}

/// The seconds of a run so far.
pub type History = Log<HistoryPoint>;

/// A list that only grows; cheap to clone, and a clone does not grow.
#[derive(Clone, Debug)]
pub struct Log<T> {
    points: Arc<RwLock<Vec<Arc<T>>>>,
    len: usize,
    /// Points at the end that may still change.
    unsettled: usize,
}

/// Newest points that keep what they know of endpoints.
const DETAILED_POINTS: usize = 300;

impl History {
    /// Appends a second, and leaves the endpoints of one that has become old.
    pub(crate) fn push_second(&mut self, point: HistoryPoint) {
        self.push(point);
        let Some(old) = self.len.checked_sub(DETAILED_POINTS + 1) else { return };
        if let Ok(mut points) = self.points.write() {
            points[old] = Arc::new(HistoryPoint { endpoints: Vec::new(), ..(*points[old]).clone() });
        }
    }

    /// The last seconds, so many, may still change.
    pub(crate) fn may_change(&mut self, seconds: usize) {
        self.unsettled = seconds;
    }

    /// Changes the seconds from number `from` on, in clones too.
    pub(crate) fn amend(&mut self, from: usize, mut change: impl FnMut(usize, &mut HistoryPoint)) {
        if let Ok(mut points) = self.points.write() {
            for (index, point) in points.iter_mut().enumerate().skip(from) {
                change(index, Arc::make_mut(point));
            }
        }
    }

    /// The seconds from number `from` on, but for those at the end that may still change: agents that could not be heard may
    /// tell of them.
    pub fn settled_since(&self, from: usize) -> Vec<Arc<HistoryPoint>> {
        let mut points = self.since(from);
        points.truncate(self.len.saturating_sub(self.unsettled).saturating_sub(from));
        points
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Log { points: Arc::default(), len: 0, unsettled: 0 }
    }
}

impl<T> Log<T> {
    /// Appends a point; seen by later clones only.
    pub(crate) fn push(&mut self, point: T) {
        if let Ok(mut points) = self.points.write() {
            points.push(Arc::new(point));
            self.len = points.len();
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no point yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The points from index `from` on.
    pub fn since(&self, from: usize) -> Vec<Arc<T>> {
        match self.points.read() {
            Ok(points) => points.get(from..self.len).unwrap_or_default().to_vec(),
            Err(_) => Vec::new(),
        }
    }
}
