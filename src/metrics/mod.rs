//! Metrics: series, the recorder on each worker thread, the aggregator, and the snapshot.
//!
//! A worker records into its own [`Recorder`]; once a second the interval goes as a [`Delta`] to the
//! [`Aggregator`], which merges it into the run's figures and publishes a [`Snapshot`]. Nothing is
//! sent or locked per request. The only folder that knows `hdrhistogram`.

mod aggregator;
mod builtin;
mod capacity;
mod credentials;
mod custom;
mod delta;
mod distribution;
mod generator;
mod groups;
mod histogram;
mod interval_log;
mod intervals;
mod iterations;
mod recorder;
mod resources;
mod sample;
mod sample_files;
mod sample_groups;
mod series;
mod series_counts;
mod snapshot;
mod sparse;
mod tap;
mod threshold;
mod totals;
mod watch;

pub use aggregator::{Aggregator, Tick};
pub(crate) use builtin::{IterationFigure, RequestFigure, Source, TransactionFigure};
pub use builtin::{MetricKind, OwnMetric};
pub use capacity::{CapacityStats, CapacityStep, NotHeld};
pub use credentials::masked;
pub use custom::{CustomFigures, CustomId, CustomKind, CustomStats};
pub use delta::Delta;
pub use distribution::{Distribution, DistributionSummary};
pub(crate) use generator::WorkerHealth;
pub use generator::{CPU_LIMIT, GeneratorPoint, GeneratorStats, LATENESS_LIMIT, Saturation};
pub(crate) use groups::SAMPLE_SEARCHED;
pub use groups::{CheckCount, FailureCount, FailureKey, FailureSample, SAMPLE_BODY, ScriptErrorCount};
pub use histogram::{Histogram, MAX_VALUE_US, PERCENTILES, Summary, ms};
pub use interval_log::{LogReader, log_header, log_lines, log_start};
pub use intervals::{
    IntervalFeed, IntervalHistograms, IntervalKey, IntervalKind, IntervalQueue, IntervalSeries,
};
pub use recorder::Recorder;
pub use resources::{
    GaugeStats, MachineInfo, ProcessUse, RESOURCE_METRICS, ResourceBatch, ResourceInfo, ResourceMetric,
    ResourceSample, ResourceSource, ResourceUnit, Resources, SystemUse,
};
pub use sample::{Failure, IterationEnd, Phases, RequestSample, ScriptError, TagId};
pub use sample_files::SampleFileStats;
pub(crate) use sample_groups::{Mask, SampleGroups};
pub use sample_groups::{SampleGroup, SampleMetric, SampleSink};
pub use series::{DEFAULT_SERIES_CAP, OTHER, SeriesId, SeriesKey};
pub use series_counts::PHASES;
pub use snapshot::{
    EndpointStats, History, HistoryPoint, IntervalStats, IterationStats, Log, Mark, Phase, PhaseSpan,
    RecentStats, ScenarioStats, Snapshot, TagStats, TotalsSoFar,
};
pub use sparse::Sparse;
pub(crate) use tap::{Chunk, Sample, Tap, TapLine};
pub use threshold::{
    Aggregation, Operator, Quantity, SubmetricFigures, SubmetricStats, Threshold, ThresholdState,
    ThresholdStats, ThresholdText,
};
pub(crate) use threshold::{Known, ThresholdEvent, Thresholds, over, resolve};
pub(crate) use watch::Tagged;
pub use watch::Watch;
