//! Metrics: series, the recorder on each worker thread, the aggregator, and the snapshot.
//!
//! A worker records into its own [`Recorder`]; once a second the interval goes as a [`Delta`] to the
//! [`Aggregator`], which merges it into the run's figures and publishes a [`Snapshot`]. Nothing is
//! sent or locked per request.

mod agents;
mod aggregator;
mod arrivals;
mod blocking;
mod buckets;
pub mod builtin;
mod capacity;
mod check_groups;
mod counted;
mod counts;
mod custom;
mod delta;
mod distribution;
mod error_kind;
mod figures;
mod gathered;
mod generator;
mod groups;
mod hdr_v2;
mod histogram;
mod interval_log;
mod intervals;
mod iterations;
mod percentile;
mod recorder;
mod resources;
mod sample;
mod sample_files;
mod sample_groups;
mod series;
mod snapshot;
mod sparse;
mod table;
mod tap;
mod texts;
mod threshold;
mod totals;
mod watch;

pub use agents::{AgentLoss, AgentState, AgentStats};
#[cfg(all(test, feature = "cluster"))]
pub(crate) use aggregator::merge_tests::random_deltas;
pub use aggregator::{Aggregator, Tick};
pub use arrivals::{MergeError, Merged};
pub use blocking::{BlockedFunction, BlockedSpan, BlockingStats, LostWorker};
pub use builtin::{Builtin, CustomMetric, METRICS, MetricKind};
pub use capacity::{CapacityStats, CapacityStep, NotHeld};
pub use check_groups::CheckGroup;
pub use counts::RequestCounts;
pub use custom::{CustomFigures, CustomId, CustomStats};
#[cfg(feature = "cluster")]
pub(crate) use custom::{CustomKey, CustomValues};
pub use delta::Delta;
#[cfg(feature = "cluster")]
pub(crate) use delta::ReversedDelta;
pub use distribution::{Distribution, DistributionSummary};
pub use error_kind::ErrorKind;
pub(crate) use figures::{iteration_figures, request_figures};
#[cfg(feature = "cluster")]
pub(crate) use generator::Generator;
pub use generator::{
    Blame, CPU_LIMIT, GeneratorPoint, GeneratorStats, LATENESS_LIMIT, MachineShare, Saturation,
    THROTTLED_LIMIT,
};
pub(crate) use generator::{CpuTimes, WorkerHealth};
pub(crate) use groups::SAMPLE_SEARCHED;
pub use groups::{
    CheckCount, FailureCount, FailureKey, FailureSample, NotEnded, SAMPLE_BODY, ScriptErrorCount,
};
#[cfg(feature = "cluster")]
pub(crate) use hdr_v2::EMPTY_V2;
pub use histogram::{Histogram, MAX_VALUE_US, Summary, ms};
pub use interval_log::{LogReader, LogWriter, log_header, log_start};
pub use intervals::{
    IntervalFeed, IntervalHistograms, IntervalKey, IntervalKind, IntervalQueue, IntervalSeries,
    IntervalTaker, OutcomeTimes,
};
#[cfg(feature = "cluster")]
pub(crate) use iterations::IterationDelta;
pub use percentile::Percentile;
pub use recorder::Recorder;
pub use resources::{
    GaugeStats, MachineInfo, ProcessUse, ResourceBatch, ResourceInfo, ResourceSample, ResourceSource,
    Resources, SystemUse,
};
pub use sample::{
    Failure, IterationEnd, PHASES, Protocol, RequestDetails, RequestFacts, RequestSample, ScriptError, TagId,
    Timings,
};
pub use sample_files::SampleFileStats;
pub(crate) use sample_groups::{Mask, SampleGroups};
pub use sample_groups::{SampleGroup, SampleMetric, SampleSink};
pub use series::{DEFAULT_SERIES_CAP, OTHER, SeriesId, SeriesKey};
pub use snapshot::{
    EndpointStats, History, HistoryPoint, IntervalStats, IterationStats, Lever, Log, Mark, Phase, PhaseSpan,
    RecentStats, ScenarioStats, Snapshot, TagStats, TotalsSoFar,
};
pub use sparse::Sparse;
pub(crate) use tap::{Chunk, Sample, Tap, TapEnd, TapLine};
pub(crate) use texts::{LONGEST_MESSAGE, LONGEST_NAME};
pub use threshold::{
    Aggregation, Operator, Quantity, SubmetricFigures, SubmetricStats, Threshold, ThresholdState,
    ThresholdStats, ThresholdText,
};
pub(crate) use threshold::{Known, ThresholdEvent, Thresholds, over, resolve};
pub(crate) use watch::Tagged;
pub use watch::Watch;
#[cfg(feature = "cluster")]
pub(crate) use watch::{RequestsDelta, WatchDelta};
