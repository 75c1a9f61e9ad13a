//! Arguments of the commands that read stored runs.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::values::{at_least_one, noise};
use crate::text::parse_duration;

/// Where to look for stored runs by name.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct RunPlaces {
    /// Directory of baselines
    #[arg(
        long,
        value_name = "DIR",
        env = "RHAID_BASELINES_DIR",
        default_value = "performance/benchmarks/baselines"
    )]
    pub(in crate::cli) baselines_dir: PathBuf,

    /// Directory of runs
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(in crate::cli) results_dir: PathBuf,
}

/// Arguments of `rhaid report`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ReportArgs {
    /// The run: its directory, its name in the results directory, or last (last~1 is the one before)
    #[arg(value_name = "RUN", default_value = "last")]
    pub(in crate::cli) run: PathBuf,

    /// Where to look for runs by name
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(in crate::cli) results_dir: PathBuf,

    /// Write the report to this HTML file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,

    /// Write JUnit XML, with a test case for each threshold, check and failing endpoint
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) junit: Option<PathBuf>,

    /// Write verdict, thresholds, endpoints and errors as Markdown
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) markdown: Option<PathBuf>,

    /// Compare with this run or baseline, given by path or name [default: the baseline with the script's name]
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "")]
    pub(in crate::cli) baseline: Option<String>,

    /// With --baseline, the relative difference to expect between identical runs
    #[arg(long, value_name = "PERCENT", default_value = "7%", value_parser = noise)]
    pub(in crate::cli) noise: f64,

    /// Write each chart as an SVG file to this directory
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) svg: Option<PathBuf>,

    /// Write PREFIX_stats.csv, PREFIX_stats_history.csv, PREFIX_failures.csv and PREFIX_exceptions.csv
    #[arg(long, value_name = "PREFIX")]
    pub(in crate::cli) csv: Option<PathBuf>,

    /// Print run.json, or the figures of the selected part, to standard output
    #[arg(long)]
    pub(in crate::cli) json: bool,

    /// Write the metrics, checks and groups to this file, in the form of k6's --summary-export
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) summary_export: Option<PathBuf>,

    /// Only requests from this time of the run onwards, such as 1m30s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) from: Option<Duration>,

    /// Only requests before this time of the run
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) to: Option<Duration>,

    /// Only endpoints whose method and name contain this text
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) endpoint: Option<String>,

    /// Show tags whose key:value contains this text, instead of endpoints
    #[arg(long, value_name = "TEXT", conflicts_with = "endpoint")]
    pub(in crate::cli) tag: Option<String>,
}

/// Arguments of `rhaid compare`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct CompareArgs {
    /// The earlier run: its directory, the name of a run or baseline, or last~1
    #[arg(value_name = "BEFORE")]
    pub(in crate::cli) before: String,

    /// The later run, such as last
    #[arg(value_name = "AFTER")]
    pub(in crate::cli) after: String,

    /// Print the comparison as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,

    /// Write the comparison to this HTML file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,

    /// Write the comparison as Markdown, for a pull request comment
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) markdown: Option<PathBuf>,

    /// Relative difference to expect between identical runs, such as 3%
    #[arg(long, value_name = "PERCENT", default_value = "7%", value_parser = noise)]
    pub(in crate::cli) noise: f64,

    /// Exit with code 98 if anything got worse
    #[arg(long)]
    pub(in crate::cli) fail_on_regression: bool,

    #[command(flatten)]
    pub(in crate::cli) places: RunPlaces,
}

/// What `rhaid baseline` does.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum BaselineCommand {
    /// Save one or several runs of a test as a baseline, replacing an older one with that name
    Save {
        /// The runs: their directories, their names in performance/results, or last, last~1 and so on. The more there
        /// are, the smaller the changes that can be told from chance
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<String>,

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
    /// Directory of runs; or last, for the test that was run last (last~1 for the run before) [default: all tests in the
    /// results directory]
    #[arg(value_name = "DIR")]
    pub(in crate::cli) runs: Option<PathBuf>,

    /// Directory of runs, unless DIR is given
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(in crate::cli) results_dir: PathBuf,

    /// Only the test with this name
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,

    /// Maximum number of runs per test; the latest ones are shown
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub(in crate::cli) last: usize,

    /// Write charts and a table of the runs to this HTML file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,

    /// Write each chart as an SVG file to this directory
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) svg: Option<PathBuf>,
}
