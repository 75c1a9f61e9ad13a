//! Arguments for the output of a run.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::BoolishValueParser;

use super::values::{choice, noise};
use crate::cli::places::Places;
use crate::cli::progress::ColorChoice;
use crate::results::SamplesFormat;

/// Output of a run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct OutputArgs {
    /// Directory in which each run creates its own directory [default: performance/results]
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR")]
    pub(in crate::cli) results_dir: Option<PathBuf>,

    /// Name of the tested environment, such as staging; comparisons warn if it differs
    #[arg(long, value_name = "WORD", env = "RHAID_LABEL")]
    pub(in crate::cli) label: Option<String>,

    /// Note for the reader of the report; can be repeated
    #[arg(long, value_name = "TEXT", env = "RHAID_NOTE")]
    pub(in crate::cli) note: Vec<String>,

    /// Write the report to this HTML file [default: performance/reports/RUN.html]
    #[arg(long, value_name = "FILE", env = "RHAID_HTML")]
    pub(in crate::cli) html: Option<PathBuf>,

    /// Also write PREFIX_stats.csv, PREFIX_failures.csv and so on, with Locust's columns
    #[arg(long, value_name = "PREFIX", env = "RHAID_CSV")]
    pub(in crate::cli) csv: Option<PathBuf>,

    /// Add a row for each endpoint to stats_history.csv, not only the total
    #[arg(long, env = "RHAID_CSV_FULL_HISTORY", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) csv_full_history: bool,

    /// Write every sample in k6's format: json=FILE or csv=FILE; FILE.gz is compressed, - is standard output
    #[arg(long, value_name = "FORMAT=FILE", env = "RHAID_OUT", value_delimiter = ',', value_parser = sample_target)]
    pub(in crate::cli) out: Vec<SampleTarget>,

    /// Write JUnit XML for CI, with a test case for each threshold, check and failing endpoint
    #[arg(long, value_name = "FILE", env = "RHAID_JUNIT")]
    pub(in crate::cli) junit: Option<PathBuf>,

    /// Write verdict, thresholds, endpoints and errors as Markdown, for a pull request comment
    #[arg(long, value_name = "FILE", env = "RHAID_MARKDOWN")]
    pub(in crate::cli) markdown: Option<PathBuf>,

    /// Shell command to run when a threshold is breached and when it recovers
    #[arg(long, value_name = "COMMAND", env = "RHAID_ON_BREACH")]
    pub(in crate::cli) on_breach: Option<String>,

    /// URL to post the same events to, as JSON
    #[arg(long, value_name = "URL", env = "RHAID_ON_BREACH_URL", hide_env_values = true)]
    pub(in crate::cli) on_breach_url: Option<String>,

    /// Print run.json to standard output; everything else goes to standard error
    #[arg(long, env = "RHAID_JSON", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) json: bool,

    /// Write the metrics, checks and groups to this file, in the form of k6's --summary-export
    #[arg(long, value_name = "FILE", env = "RHAID_SUMMARY_EXPORT")]
    pub(in crate::cli) summary_export: Option<PathBuf>,

    /// Show only the verdict, without progress and summary
    #[arg(short, long, env = "RHAID_QUIET", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) quiet: bool,

    /// Show only the final summary, without progress
    #[arg(long, env = "RHAID_ONLY_SUMMARY", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) only_summary: bool,

    /// When to use colours: auto, always or never
    #[arg(long, value_name = "WHEN", env = "RHAID_COLOR", value_parser = choice(&ColorChoice::CHOICES))]
    pub(in crate::cli) color: Option<ColorChoice>,

    /// The same as --color never
    #[arg(long, env = "RHAID_NO_COLOR", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) no_color: bool,

    /// Exit with code 1 if any request failed or any script error occurred; for failed checks, set --threshold 'checks: rate == 100%'
    #[arg(long, env = "RHAID_EXIT_CODE_ON_ERROR", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) exit_code_on_error: bool,

    /// Compare with this run at the end: its directory, the name of a baseline, or last; without a value, the baseline
    /// with the script's name
    #[arg(long, value_name = "RUN", env = "RHAID_BASELINE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(in crate::cli) baseline: Option<String>,

    /// With --baseline, the relative difference to expect between identical runs, such as 3% [default: 7%]
    #[arg(long, value_name = "PERCENT", env = "RHAID_NOISE", value_parser = noise)]
    pub(in crate::cli) noise: Option<f64>,

    /// Exit with code 98 if anything is worse than the baseline
    #[arg(long, env = "RHAID_FAIL_ON_REGRESSION", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) fail_on_regression: bool,

    /// Accepted for Locust compatibility; every run is headless
    #[arg(long, hide = true)]
    pub(in crate::cli) headless: bool,

    /// Accepted for Locust compatibility; every run starts immediately
    #[arg(long, hide = true)]
    pub(in crate::cli) autostart: bool,
}

impl OutputArgs {
    /// These settings, which override those of a file.
    pub(in crate::cli) fn or(self, file: OutputArgs) -> OutputArgs {
        OutputArgs {
            results_dir: self.results_dir.or(file.results_dir),
            label: self.label.or(file.label),
            note: if self.note.is_empty() { file.note } else { self.note },
            html: self.html.or(file.html),
            junit: self.junit.or(file.junit),
            on_breach: self.on_breach.or(file.on_breach),
            on_breach_url: self.on_breach_url.or(file.on_breach_url),
            markdown: self.markdown.or(file.markdown),
            csv: self.csv.or(file.csv),
            out: if self.out.is_empty() { file.out } else { self.out },
            csv_full_history: self.csv_full_history || file.csv_full_history,
            json: self.json || file.json,
            summary_export: self.summary_export.or(file.summary_export),
            quiet: self.quiet || file.quiet,
            only_summary: self.only_summary || file.only_summary,
            color: self.color.or(file.color),
            no_color: self.no_color || file.no_color,
            exit_code_on_error: self.exit_code_on_error || file.exit_code_on_error,
            baseline: self.baseline.or(file.baseline),
            noise: self.noise.or(file.noise),
            fail_on_regression: self.fail_on_regression || file.fail_on_regression,
            headless: self.headless || file.headless,
            autostart: self.autostart || file.autostart,
        }
    }
}

impl OutputArgs {
    /// Whether standard output is for another program, so that the summary goes to standard error.
    pub(in crate::cli) fn stdout_is_taken(&self) -> bool {
        self.json || self.out.iter().any(SampleTarget::is_stdout)
    }

    /// The files that are asked for.
    pub(in crate::cli) fn add_to(&self, places: &mut Places) {
        places.may_write("--html", self.html.as_ref());
        places.may_write("--junit", self.junit.as_ref());
        places.may_write("--markdown", self.markdown.as_ref());
        places.may_write("--summary-export", self.summary_export.as_ref());
        places.writes_csv(self.csv.as_ref());
        let files = self.out.iter().filter(|target| !target.is_stdout());
        files.for_each(|target| places.writes("--out", &target.path));
    }

    /// Why the targets of samples do not go together, if they do not.
    pub(in crate::cli) fn conflict(&self) -> Option<String> {
        let to_stdout = self.out.iter().filter(|target| target.is_stdout()).count();
        if to_stdout > 0 && self.json {
            return Some(
                "--json and --out …=- both write to standard output; give one of them a file name".to_owned(),
            );
        }
        if to_stdout > 1 {
            return Some(
                "two --out options write to standard output; give one of them a file name".to_owned(),
            );
        }
        None
    }
}

/// Where samples are written, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct SampleTarget {
    pub(in crate::cli) format: SamplesFormat,
    pub(in crate::cli) path: PathBuf,
}

impl SampleTarget {
    pub(in crate::cli) fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }
}

/// `json=FILE` or `csv=FILE`.
fn sample_target(text: &str) -> Result<SampleTarget, String> {
    let (word, path) = text.split_once('=').unwrap_or((text, ""));
    let format = match word {
        "json" => SamplesFormat::Json,
        "csv" => SamplesFormat::Csv,
        _ => {
            let hint = crate::text::did_you_mean(word, ["json", "csv"]);
            return Err(format!("expected json=FILE or csv=FILE, not '{word}'{hint}"));
        }
    };
    if path.is_empty() {
        return Err(format!(
            "the file name is missing; write {word}=samples.{word}, or {word}=- for standard output"
        ));
    }
    Ok(SampleTarget { format, path: path.into() })
}
