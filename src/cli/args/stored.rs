//! Arguments of the commands that read stored runs.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::values::{at_least_one, noise};
use crate::text::parse_duration;

/// Where stored runs are looked for by their names.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct RunPlaces {
    /// Folder of the baselines
    #[arg(
        long,
        value_name = "DIR",
        env = "RHAID_BASELINES_DIR",
        default_value = "performance/benchmarks/baselines"
    )]
    pub(in crate::cli) baselines_dir: PathBuf,

    /// Folder of the runs
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(in crate::cli) results_dir: PathBuf,
}

/// Arguments of `rhaid report`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ReportArgs {
    /// The run: its folder, or its name among the results
    #[arg(value_name = "RUN")]
    pub(in crate::cli) run: PathBuf,

    /// Where runs are looked for by name
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(in crate::cli) results_dir: PathBuf,

    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,

    /// Write a test case for each limit, check and failing endpoint as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) junit: Option<PathBuf>,

    /// Write verdict, limits, endpoints and errors as Markdown
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) markdown: Option<PathBuf>,

    /// Compare with this run or baseline, by its path or name [default: the baseline of the script's name]
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "")]
    pub(in crate::cli) baseline: Option<String>,

    /// Write each chart as an SVG file into this folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) svg: Option<PathBuf>,

    /// Write PREFIX_stats.csv, PREFIX_stats_history.csv, PREFIX_failures.csv and PREFIX_exceptions.csv
    #[arg(long, value_name = "PREFIX")]
    pub(in crate::cli) csv: Option<PathBuf>,

    /// Print run.json, or the figures of the part, to standard output
    #[arg(long)]
    pub(in crate::cli) json: bool,

    /// Write run.json to this file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) summary_export: Option<PathBuf>,

    /// Only requests from this time of the run on, such as 1m30s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) from: Option<Duration>,

    /// Only requests before this time of the run
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) to: Option<Duration>,

    /// Only endpoints whose method and name hold this text
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) endpoint: Option<String>,

    /// Tags whose key:value holds this text, instead of endpoints
    #[arg(long, value_name = "TEXT", conflicts_with = "endpoint")]
    pub(in crate::cli) tag: Option<String>,
}

/// Arguments of `rhaid compare`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct CompareArgs {
    /// The earlier run: its folder, or the name of a run or baseline
    #[arg(value_name = "BEFORE")]
    pub(in crate::cli) before: String,

    /// The later run
    #[arg(value_name = "AFTER")]
    pub(in crate::cli) after: String,

    /// Print the comparison as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,

    /// Write the comparison as one HTML file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,

    /// Write the comparison as Markdown that fits a comment on a pull request
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) markdown: Option<PathBuf>,

    /// Relative difference that equal runs show anyway, such as 3%
    #[arg(long, value_name = "PERCENT", default_value = "3%", value_parser = noise)]
    pub(in crate::cli) noise: f64,

    /// Exit with 98 when anything got worse
    #[arg(long)]
    pub(in crate::cli) fail_on_regression: bool,

    #[command(flatten)]
    pub(in crate::cli) places: RunPlaces,
}

/// What `rhaid baseline` does.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum BaselineCommand {
    /// Keep a run, in place of an older baseline of that name
    Save {
        /// The run: its folder, or its name below performance/results
        #[arg(value_name = "RUN")]
        run: String,

        /// Name of the baseline [default: the name of the run's script]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,

        #[command(flatten)]
        places: RunPlaces,
    },
    /// List the baselines
    List {
        #[command(flatten)]
        places: RunPlaces,
    },
}

/// Arguments of `rhaid trend`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct TrendArgs {
    /// Folder of the runs
    #[arg(value_name = "DIR", default_value = "performance/results")]
    pub(in crate::cli) folder: PathBuf,

    /// Only the test of this name
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,

    /// How many runs of each test at most, the newest ones
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub(in crate::cli) last: usize,

    /// Write charts and a table of the runs as one HTML file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,

    /// Write each chart as an SVG file into this folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) svg: Option<PathBuf>,
}
