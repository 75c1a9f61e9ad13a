//! What was typed: the arguments, their help, and the options they stand for.
//!
//! Every flag of `run` can be set by an environment variable `RHAID_…` and, by its long name, in `rhaid.toml`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::convert::ConvertArgs;
use super::new::NewArgs;
use crate::HttpDebug;
use crate::plan::{
    Arrivals, CapacityPlan, HttpLayer, Late, Options, RunStages, ThresholdText, parse_duration, parse_rate,
    parse_stages,
};

/// Load tests whose virtual users are Rhai scripts.
#[derive(Debug, Parser)]
#[command(name = "rhaid", version, about, propagate_version = true, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a load test
    Run(Box<RunArgs>),
    /// Show the whole product with no set-up: a demo application is started here and put under load
    Demo(DemoArgs),
    /// Serve the demo application alone
    Target(TargetArgs),
    /// Measure CPU, memory, network and disk without any load
    Monitor(MonitorArgs),
    /// Write a script to begin with
    New(NewArgs),
    /// Make a script of a recording, of curl commands or of an API's description
    Convert(ConvertArgs),
    /// Show what a script can call: the modules, one of them, or a function
    Docs(DocsArgs),
    /// Write definitions of the script API for Rhai's language server, so that an editor knows it
    Definitions {
        /// Folder to write them to; it is made when it is not there
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Make the reports of a stored run again, or show percentiles of a part of it
    Report(ReportArgs),
    /// Compare two stored runs, endpoint by endpoint, and tell changes from noise
    Compare(CompareArgs),
    /// Keep a run as what later ones are compared with
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Show the course of many stored runs
    Trend(TrendArgs),
    /// Find what is wrong with scripts, without running them
    Check(CheckArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Arguments of `rhaid run`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = RUN_HELP)]
pub(super) struct RunArgs {
    /// The script (`rhaid run SCRIPT --help` lists its parameters)
    #[arg(value_name = "SCRIPT", env = "RHAID_SCRIPT")]
    pub(super) script: Option<PathBuf>,

    /// The script, as Locust's users write it
    #[arg(short = 'f', long = "script", value_name = "SCRIPT", alias = "locustfile", id = "script_flag")]
    pub(super) script_flag: Option<PathBuf>,

    /// Base URL that relative URLs of the script are joined to
    #[arg(short = 'H', long, value_name = "URL", env = "RHAID_HOST")]
    pub(super) host: Option<String>,

    /// Most virtual users at once [default: 1]
    #[arg(short, long, visible_alias = "vus", value_name = "N", env = "RHAID_USERS", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) users: Option<u64>,

    /// Virtual users started, and at the end taken away, per second [default: 1]
    #[arg(short = 'r', long, value_name = "N", env = "RHAID_SPAWN_RATE", value_parser = rate)]
    pub(super) spawn_rate: Option<f64>,

    /// Time until the users are taken away, such as 300ms, 90, 1m30s or 2h [default: until stopped]
    #[arg(short = 't', long, visible_alias = "duration", value_name = "TIME", env = "RHAID_RUN_TIME", value_parser = parse_duration)]
    pub(super) run_time: Option<Duration>,

    /// Iterations of all users together, after which the run ends
    #[arg(short, long, value_name = "N", env = "RHAID_ITERATIONS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) iterations: Option<u64>,

    /// Run only this scenario; can be given several times
    #[arg(long, value_name = "NAME", env = "RHAID_SCENARIO", value_delimiter = ',')]
    pub(super) scenario: Vec<String>,

    /// Run only tasks with one of these tags; can be given several times
    #[arg(
        short = 'T',
        long,
        visible_alias = "include-tags",
        value_name = "TAG,…",
        env = "RHAID_TAGS",
        value_delimiter = ','
    )]
    pub(super) tags: Vec<String>,

    /// Leave out tasks with one of these tags, even if --tags names them
    #[arg(short = 'E', long, value_name = "TAG,…", env = "RHAID_EXCLUDE_TAGS", value_delimiter = ',')]
    pub(super) exclude_tags: Vec<String>,

    /// Try the script out: one user, one iteration (of a sequence all steps), every request shown; exit with 1
    /// when anything failed
    #[arg(long, env = "RHAID_ONCE", value_parser = BoolishValueParser::new())]
    pub(super) once: bool,

    /// Show requests and responses with headers and times, with =full also bodies up to 4 kB; credentials are
    /// masked
    #[arg(long, value_name = "HOW", env = "RHAID_HTTP_DEBUG", num_args = 0..=1, require_equals = true,
          default_missing_value = "headers", value_parser = ["headers", "full"])]
    pub(super) http_debug: Option<String>,

    /// Use a script that is saved during the run from the next iterations on
    #[arg(long, env = "RHAID_WATCH", value_parser = BoolishValueParser::new())]
    pub(super) watch: bool,

    /// A further folder that imports are looked for in; can be given several times
    #[arg(long, value_name = "DIR", env = "RHAID_LIB", value_delimiter = ':')]
    pub(super) lib: Vec<PathBuf>,

    /// A variable that the script reads with env::get
    #[arg(short = 'e', long = "env", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) env: Vec<(String, String)>,

    /// A parameter that the script declares with param
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    pub(super) param: Vec<(String, String)>,

    /// A folder that the script may read data files from, besides its own; can be given several times
    #[arg(long, value_name = "DIR", env = "RHAID_DATA", value_delimiter = ',')]
    pub(super) data: Vec<PathBuf>,

    /// A tag of every request
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) tag: Vec<(String, String)>,

    /// A limit such as 'http_req_duration: p(95) < 200ms'; several with ; or by several flags
    #[arg(long, value_name = "METRIC: LIMIT", env = "RHAID_THRESHOLD", value_delimiter = ';')]
    pub(super) threshold: Vec<String>,

    /// Seed of everything random; without one each run has its own
    #[arg(long, value_name = "N", env = "RHAID_SEED")]
    pub(super) seed: Option<u64>,

    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", env = "RHAID_THREADS", value_parser = threads)]
    pub(super) threads: Option<usize>,

    /// Time that running iterations get when the run stops [default: 30s]
    #[arg(short = 's', long, value_name = "TIME", env = "RHAID_STOP_TIMEOUT", value_parser = parse_duration)]
    pub(super) stop_timeout: Option<Duration>,

    /// Settings file [default: rhaid.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "RHAID_CONFIG")]
    pub(super) config: Option<PathBuf>,

    #[command(flatten)]
    pub(super) load: LoadArgs,

    #[command(flatten)]
    pub(super) http: HttpArgs,

    #[command(flatten)]
    pub(super) resources: ResourceArgs,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Whose CPU and memory are measured beside the run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Resources")]
pub(super) struct ResourceArgs {
    /// The process under test, by its number; its children are counted with it
    #[arg(long, value_name = "PID", env = "RHAID_TARGET_PID", group = "target_process")]
    pub(super) target_pid: Option<u32>,

    /// The process under test: who listens on this TCP port [default: the port of a host on this machine]
    #[arg(long, value_name = "PORT", env = "RHAID_TARGET_PORT", group = "target_process")]
    pub(super) target_port: Option<u16>,

    /// The processes under test, by the name of their program or of a file on their command line
    #[arg(long, value_name = "NAME", env = "RHAID_TARGET_NAME", group = "target_process")]
    pub(super) target_name: Option<String>,

    /// The target's machine: URL of the `rhaid monitor --serve` that runs there
    #[arg(long, value_name = "URL", env = "RHAID_TARGET_MONITOR", group = "target_process")]
    pub(super) target_monitor: Option<String>,

    /// What that monitor wants to be shown
    #[arg(long, value_name = "TOKEN", env = "RHAID_TARGET_MONITOR_TOKEN", hide_env_values = true)]
    pub(super) target_monitor_token: Option<String>,

    /// Measure no resources
    #[arg(long, env = "RHAID_NO_RESOURCES", value_parser = BoolishValueParser::new())]
    pub(super) no_resources: bool,
}

/// Where stored runs are looked for by their names.
#[derive(Clone, Debug, Args)]
pub(super) struct RunPlaces {
    /// Folder of the baselines
    #[arg(
        long,
        value_name = "DIR",
        env = "RHAID_BASELINES_DIR",
        default_value = "performance/benchmarks/baselines"
    )]
    pub(super) baselines_dir: PathBuf,

    /// Folder of the runs
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(super) results_dir: PathBuf,
}

/// Arguments of `rhaid report`.
#[derive(Clone, Debug, Args)]
pub(super) struct ReportArgs {
    /// The run: its folder, or its name among the results
    #[arg(value_name = "RUN")]
    pub(super) run: PathBuf,

    /// Where runs are looked for by name
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(super) results_dir: PathBuf,

    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Write a test case for each limit, check and failing endpoint as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,

    /// Write verdict, limits, endpoints and errors as Markdown
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,

    /// Write each chart as an SVG file into this folder
    #[arg(long, value_name = "DIR")]
    pub(super) svg: Option<PathBuf>,

    /// Write PREFIX_stats.csv, PREFIX_stats_history.csv, PREFIX_failures.csv and PREFIX_exceptions.csv
    #[arg(long, value_name = "PREFIX")]
    pub(super) csv: Option<PathBuf>,

    /// Print run.json, or the figures of the part, to standard output
    #[arg(long)]
    pub(super) json: bool,

    /// Write run.json to this file
    #[arg(long, value_name = "FILE")]
    pub(super) summary_export: Option<PathBuf>,

    /// Only requests from this time of the run on, such as 1m30s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) from: Option<Duration>,

    /// Only requests before this time of the run
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) to: Option<Duration>,

    /// Only endpoints whose method and name hold this text
    #[arg(long, value_name = "TEXT")]
    pub(super) endpoint: Option<String>,

    /// Tags whose key:value holds this text, instead of endpoints
    #[arg(long, value_name = "TEXT", conflicts_with = "endpoint")]
    pub(super) tag: Option<String>,
}

/// Arguments of `rhaid compare`.
#[derive(Clone, Debug, Args)]
pub(super) struct CompareArgs {
    /// The earlier run: its folder, or the name of a run or baseline
    #[arg(value_name = "BEFORE")]
    pub(super) before: String,

    /// The later run
    #[arg(value_name = "AFTER")]
    pub(super) after: String,

    /// Print the comparison as JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Relative difference that equal runs show anyway, such as 3%
    #[arg(long, value_name = "PERCENT", default_value = "3%", value_parser = noise)]
    pub(super) noise: f64,

    /// Exit with 98 when anything got worse
    #[arg(long)]
    pub(super) fail_on_regression: bool,

    #[command(flatten)]
    pub(super) places: RunPlaces,
}

/// What `rhaid baseline` does.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum BaselineCommand {
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
pub(super) struct TrendArgs {
    /// Folder of the runs
    #[arg(value_name = "DIR", default_value = "performance/results")]
    pub(super) folder: PathBuf,

    /// Only the test of this name
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,

    /// How many runs of each test at most, the newest ones
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub(super) last: usize,
}

/// Arguments of `rhaid monitor`.
#[derive(Clone, Debug, Args)]
pub(super) struct MonitorArgs {
    /// How long, such as 300 (seconds) or 5m [default: until stopped]
    #[arg(value_name = "SECONDS", value_parser = parse_duration)]
    pub(super) seconds: Option<Duration>,

    /// A process and its children, by its number
    #[arg(long, value_name = "PID", group = "process")]
    pub(super) pid: Option<u32>,

    /// The process that listens on this TCP port
    #[arg(long, value_name = "PORT", group = "process")]
    pub(super) port: Option<u16>,

    /// Processes by the name of their program or of a file on their command line
    #[arg(long, value_name = "NAME", group = "process")]
    pub(super) name: Option<String>,

    /// Folder that gets a folder of its own for this measurement
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(super) results_dir: PathBuf,

    /// Tell the figures to `rhaid run --target-monitor` on another machine, and write no files; 8090 is port 8090 of
    /// 127.0.0.1
    #[arg(long, value_name = "[ADDRESS:]PORT", num_args = 0..=1, default_missing_value = "8090", value_parser = listen_address)]
    pub(super) serve: Option<SocketAddr>,

    /// What callers have to show; needed to serve on an address other than loopback
    #[arg(
        long,
        value_name = "TOKEN",
        env = "RHAID_MONITOR_TOKEN",
        hide_env_values = true,
        requires = "serve"
    )]
    pub(super) token: Option<String>,

    /// No live line
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// What load is made, of the scenarios that have no executor of their own.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadArgs {
    /// Iterations started per second, whatever the target does: 50, 137/s, 600/m
    #[arg(long, value_name = "RATE", env = "RHAID_RATE", value_parser = positive_rate, allow_hyphen_values = true)]
    pub(super) rate: Option<f64>,

    /// Stages that the users follow, or the rate: 30s:20,1m:20,10s:0 or 30s:100/s,1m:100/s; NAME=30s:20 names one
    #[arg(long, value_name = "TIME:TARGET,…", env = "RHAID_STAGES", value_parser = parse_stages)]
    pub(super) stages: Option<RunStages>,

    /// Search for the highest rate at which this limit holds, such as 'http_resp_time: p(95) < 200ms'
    #[arg(long, value_name = "METRIC: LIMIT", env = "RHAID_FIND_CAPACITY",
          conflicts_with_all = ["profile", "rate", "stages", "shape", "hold", "users", "run_time"])]
    pub(super) find_capacity: Option<String>,

    /// With --find-capacity, the first rate [default: 10/s]
    #[arg(long, value_name = "RATE", env = "RHAID_MIN_RATE", value_parser = positive_rate, requires = "find_capacity")]
    pub(super) min_rate: Option<f64>,

    /// With --find-capacity, no rate above this one is tried [default: 100000/s]
    #[arg(long, value_name = "RATE", env = "RHAID_MAX_RATE", value_parser = positive_rate, requires = "find_capacity")]
    pub(super) max_rate: Option<f64>,

    /// With --find-capacity, how long each rate is judged [default: 10s]
    #[arg(long, value_name = "TIME", env = "RHAID_STEP_TIME", value_parser = parse_duration, requires = "find_capacity")]
    pub(super) step_time: Option<Duration>,

    /// A load with a name: load, stress, spike, endurance, all of them one after the other, or a file that declares
    /// options(…)
    #[arg(long, value_name = "NAME|FILE", env = "RHAID_PROFILE")]
    pub(super) profile: Option<String>,

    /// With --profile, shorten (or lengthen) its times: 0.1 takes a tenth of them
    #[arg(long, value_name = "FACTOR", env = "RHAID_TIME_SCALE", value_parser = time_scale)]
    pub(super) time_scale: Option<f64>,

    /// A function of the script that says each second how many users there are, or what the rate is
    #[arg(long, value_name = "FUNCTION", env = "RHAID_SHAPE")]
    pub(super) shape: Option<String>,

    /// As --run-time, but counted from the moment when all users are there
    #[arg(long, value_name = "TIME", env = "RHAID_HOLD", value_parser = parse_duration)]
    pub(super) hold: Option<Duration>,

    /// With a rate, most virtual users at once [default: 1000]
    #[arg(long, value_name = "N", env = "RHAID_MAX_VUS", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) max_vus: Option<u64>,

    /// With a rate, virtual users that are there from the start [default: 0]
    #[arg(long, value_name = "N", env = "RHAID_PRE_ALLOCATED_VUS", value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub(super) pre_allocated_vus: Option<u64>,

    /// With a rate, how iterations are spread over time: evenly, or as independent arrivals are [default: uniform]
    #[arg(long, value_name = "HOW", env = "RHAID_ARRIVALS", value_parser = Arrivals::WORDS)]
    pub(super) arrivals: Option<String>,

    /// With a rate, what becomes of an iteration that nobody is free for: it waits, or it is dropped [default: queue]
    #[arg(long, value_name = "WHAT", env = "RHAID_LATE", value_parser = Late::WORDS)]
    pub(super) late: Option<String>,
}

/// How requests are made.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Requests")]
pub(super) struct HttpArgs {
    /// Accept any certificate
    #[arg(long, env = "RHAID_INSECURE", value_parser = BoolishValueParser::new())]
    pub(super) insecure: bool,

    /// PEM file of certificates to trust besides the system's
    #[arg(long, value_name = "FILE", env = "RHAID_CA_FILE")]
    pub(super) ca_file: Option<PathBuf>,

    /// PEM file with a certificate chain and its key to present
    #[arg(long, value_name = "FILE", env = "RHAID_CLIENT_CERT")]
    pub(super) client_cert: Option<PathBuf>,

    /// URL of a proxy, or `env` to use HTTP_PROXY, HTTPS_PROXY and NO_PROXY [default: none]
    #[arg(long, value_name = "URL", env = "RHAID_PROXY")]
    pub(super) proxy: Option<String>,

    /// HTTP version: auto, 1.1 or 2 [default: auto]
    #[arg(long, value_name = "VERSION", env = "RHAID_HTTP_VERSION")]
    pub(super) http_version: Option<String>,

    /// Time for a whole request [default: 60s]
    #[arg(long, value_name = "TIME", env = "RHAID_TIMEOUT", value_parser = parse_duration)]
    pub(super) timeout: Option<Duration>,
}

/// What is shown and written.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Folder that each run gets a folder of its own in [default: performance/results]
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR")]
    pub(super) results_dir: Option<PathBuf>,

    /// The report as one HTML file [default: performance/reports/RUN.html]
    #[arg(long, value_name = "FILE", env = "RHAID_HTML")]
    pub(super) html: Option<PathBuf>,

    /// Also write PREFIX_stats.csv and its fellows, with Locust's columns
    #[arg(long, value_name = "PREFIX", env = "RHAID_CSV")]
    pub(super) csv: Option<PathBuf>,

    /// Rows for each endpoint, not only for the sum, in stats_history.csv
    #[arg(long, env = "RHAID_CSV_FULL_HISTORY", value_parser = BoolishValueParser::new())]
    pub(super) csv_full_history: bool,

    /// Write a test case for each limit, check and failing endpoint as JUnit XML, for CI
    #[arg(long, value_name = "FILE", env = "RHAID_JUNIT")]
    pub(super) junit: Option<PathBuf>,

    /// Write verdict, limits, endpoints and errors as Markdown, for a comment on a pull request
    #[arg(long, value_name = "FILE", env = "RHAID_MARKDOWN")]
    pub(super) markdown: Option<PathBuf>,

    /// A command of the shell that is run when a limit is broken, and when it holds again
    #[arg(long, value_name = "COMMAND", env = "RHAID_ON_BREACH")]
    pub(super) on_breach: Option<String>,

    /// A URL that the same is posted to as JSON
    #[arg(long, value_name = "URL", env = "RHAID_ON_BREACH_URL", hide_env_values = true)]
    pub(super) on_breach_url: Option<String>,

    /// Print run.json to standard output; everything else goes to standard error
    #[arg(long, env = "RHAID_JSON", value_parser = BoolishValueParser::new())]
    pub(super) json: bool,

    /// Also write run.json to this file
    #[arg(long, value_name = "FILE", env = "RHAID_SUMMARY_EXPORT")]
    pub(super) summary_export: Option<PathBuf>,

    /// No progress and no summary, only the verdict
    #[arg(short, long, env = "RHAID_QUIET", value_parser = BoolishValueParser::new())]
    pub(super) quiet: bool,

    /// No progress, only the summary at the end
    #[arg(long, env = "RHAID_ONLY_SUMMARY", value_parser = BoolishValueParser::new())]
    pub(super) only_summary: bool,

    /// When to use colours: auto, always or never
    #[arg(long, value_name = "WHEN", env = "RHAID_COLOR", value_parser = ["auto", "always", "never"])]
    pub(super) color: Option<String>,

    /// The same as --color never
    #[arg(long, env = "RHAID_NO_COLOR", value_parser = BoolishValueParser::new())]
    pub(super) no_color: bool,

    /// Exit with 1 when requests failed or scripts erred
    #[arg(long, env = "RHAID_EXIT_CODE_ON_ERROR", value_parser = BoolishValueParser::new())]
    pub(super) exit_code_on_error: bool,

    /// Compare with this run at the end: its folder, the name of a baseline, or without a value the baseline of
    /// the script's name
    #[arg(long, value_name = "RUN", env = "RHAID_BASELINE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(super) baseline: Option<String>,

    /// Exit with 98 when anything got worse than in the baseline
    #[arg(long, env = "RHAID_FAIL_ON_REGRESSION", value_parser = BoolishValueParser::new())]
    pub(super) fail_on_regression: bool,

    /// Accepted for Locust's users: there is no page to start from yet, so every run is headless
    #[arg(long, hide = true)]
    pub(super) headless: bool,

    /// Accepted for Locust's users: every run starts by itself
    #[arg(long, hide = true)]
    pub(super) autostart: bool,
}

/// Arguments of `rhaid demo`.
#[derive(Clone, Debug, Args)]
pub(super) struct DemoArgs {
    /// Most virtual users at once
    #[arg(short, long, visible_alias = "vus", value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) users: u64,

    /// Virtual users started per second
    #[arg(short = 'r', long, value_name = "N", default_value_t = 10.0, value_parser = rate)]
    pub(super) spawn_rate: f64,

    /// Time until the users are taken away
    #[arg(short = 't', long, visible_alias = "duration", value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    pub(super) run_time: Duration,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Arguments of `rhaid docs`.
#[derive(Clone, Debug, Args)]
pub(super) struct DocsArgs {
    /// What to show: http, http::get, response, scenario, std/auth, globals, …; everything briefly without
    #[arg(value_name = "NAME", conflicts_with = "markdown")]
    pub(super) name: Vec<String>,

    /// Print all of it as Markdown: docs/script-api.md
    #[arg(long)]
    pub(super) markdown: bool,
}

/// Arguments of `rhaid target`.
#[derive(Clone, Debug, Args)]
pub(super) struct TargetArgs {
    /// Port to listen on; 0 lets the system choose
    #[arg(short, long, value_name = "PORT", default_value_t = 8000)]
    pub(super) port: u16,

    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(super) address: IpAddr,

    /// Median time of an analysis; the other routes are faster in proportion, 0 is none at all
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = parse_duration)]
    pub(super) median: Duration,

    /// Spread of the times: standard deviation of their logarithm, 0 to 3
    #[arg(long, value_name = "N", default_value_t = 0.4)]
    pub(super) sigma: f64,

    /// Requests in service at which the median doubles
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    pub(super) knee: f64,

    /// Share of requests that fail, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(super) error_rate: f64,

    /// Seed of times and failures
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(super) seed: u64,
}

/// Arguments of `rhaid check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub(super) struct CheckArgs {
    /// The scripts; of a folder, all below it
    #[arg(value_name = "SCRIPT", required = true)]
    pub(super) scripts: Vec<PathBuf>,

    /// Print the problems as JSON, for editors
    #[arg(long)]
    pub(super) json: bool,

    /// A further folder that imports are looked for in; can be given several times
    #[arg(long, value_name = "DIR", env = "RHAID_LIB", value_delimiter = ':')]
    pub(super) lib: Vec<PathBuf>,

    /// A folder that scripts may read data files from, besides their own; can be given several times
    #[arg(long, value_name = "DIR", env = "RHAID_DATA", value_delimiter = ',')]
    pub(super) data: Vec<PathBuf>,

    /// A variable that scripts read with env::get
    #[arg(short = 'e', long = "env", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) env: Vec<(String, String)>,

    /// A parameter that the script declares with param
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    pub(super) param: Vec<(String, String)>,

    /// Settings file [default: rhaid.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "RHAID_CONFIG")]
    pub(super) config: Option<PathBuf>,
}

const CHECK_HELP: &str = "\
The top level of a script is run, as it is for a run; no function is called and no request is made.

Exit codes: 0 nothing is wrong · 2 wrong usage · 104 something is";

const RUN_HELP: &str = "\
Every flag but -e, --param and --tag can be set as RHAID_… in the environment (a parameter as
RHAID_PARAM_NAME), and by its long name in rhaid.toml; there, the tables [params], [env] and [tags].
A flag wins over the environment, that over the file, that over the script, that over the default.

Exit codes: 0 passed · 1 errors, with --exit-code-on-error · 2 wrong usage · 97 no request was made ·
99 a threshold was broken · 104 wrong settings or script · 105 stopped by a signal · 107 setup failed · 108 aborted by the script";

impl RunArgs {
    /// The script, however it was named.
    pub(super) fn script(&self) -> Option<&PathBuf> {
        self.script_flag.as_ref().or(self.script.as_ref())
    }

    /// What is shown of each request.
    pub(super) fn http_debug(&self) -> HttpDebug {
        match self.http_debug.as_deref() {
            Some("full") => HttpDebug::Full,
            Some(_) => HttpDebug::Headers,
            None if self.once => HttpDebug::Lines,
            None => HttpDebug::Off,
        }
    }

    fn thresholds(&self) -> Vec<ThresholdText> {
        let texts = self.threshold.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        texts.map(|text| ThresholdText::new(text, "--threshold")).collect()
    }

    /// The settings that the flags stand for.
    pub(super) fn options(&self) -> Options {
        Options {
            host: self.host.clone(),
            users: self.users,
            spawn_rate: self.spawn_rate,
            rate: self.load.rate,
            stages: self.load.stages.clone(),
            shape: self.load.shape.clone(),
            max_vus: self.load.max_vus,
            pre_allocated_vus: self.load.pre_allocated_vus,
            arrivals: self.load.arrivals.as_deref().and_then(Arrivals::named),
            late: self.load.late.as_deref().and_then(Late::named),
            run_time: self.run_time,
            hold: self.load.hold,
            capacity: self.load.capacity(),
            once: self.once,
            iterations: self.iterations,
            stop_timeout: self.stop_timeout,
            seed: self.seed,
            threads: self.threads,
            scenarios: self.scenario.clone(),
            include_tags: self.tags.clone(),
            exclude_tags: self.exclude_tags.clone(),
            tags: self.tag.iter().cloned().collect(),
            params: self.param.iter().cloned().collect(),
            env: self.env.iter().cloned().collect(),
            data_roots: self.data.clone(),
            thresholds: self.thresholds(),
            http: HttpLayer {
                insecure: self.http.insecure.then_some(true),
                ca_file: self.http.ca_file.clone(),
                client_cert: self.http.client_cert.clone(),
                proxy: self.http.proxy.clone(),
                http_version: self.http.http_version.clone(),
                timeout: self.http.timeout,
                ..HttpLayer::default()
            },
        }
    }
}

impl LoadArgs {
    /// The search that the flags stand for.
    fn capacity(&self) -> Option<CapacityPlan> {
        let usual = CapacityPlan::new(self.find_capacity.clone()?);
        Some(CapacityPlan {
            min_rate: self.min_rate.unwrap_or(usual.min_rate),
            max_rate: self.max_rate.unwrap_or(usual.max_rate),
            step_time: self.step_time.unwrap_or(usual.step_time),
            ..usual
        })
    }
}

impl ResourceArgs {
    /// These settings over those of a file.
    pub(super) fn or(self, file: ResourceArgs) -> ResourceArgs {
        // Naming the target in one way overrides what the file says in another.
        let process = if self.names_target() { &self } else { &file };
        ResourceArgs {
            target_pid: process.target_pid,
            target_port: process.target_port,
            target_name: process.target_name.clone(),
            target_monitor: process.target_monitor.clone(),
            target_monitor_token: self.target_monitor_token.clone().or(file.target_monitor_token.clone()),
            no_resources: self.no_resources || file.no_resources,
        }
    }

    /// Whether the target has been named in any way.
    pub(super) fn names_target(&self) -> bool {
        self.target_pid.is_some()
            || self.target_port.is_some()
            || self.target_name.is_some()
            || self.target_monitor.is_some()
    }
}

impl OutputArgs {
    /// These settings over those of a file.
    pub(super) fn or(self, file: OutputArgs) -> OutputArgs {
        OutputArgs {
            results_dir: self.results_dir.or(file.results_dir),
            html: self.html.or(file.html),
            junit: self.junit.or(file.junit),
            on_breach: self.on_breach.or(file.on_breach),
            on_breach_url: self.on_breach_url.or(file.on_breach_url),
            markdown: self.markdown.or(file.markdown),
            csv: self.csv.or(file.csv),
            csv_full_history: self.csv_full_history || file.csv_full_history,
            json: self.json || file.json,
            summary_export: self.summary_export.or(file.summary_export),
            quiet: self.quiet || file.quiet,
            only_summary: self.only_summary || file.only_summary,
            color: self.color.or(file.color),
            no_color: self.no_color || file.no_color,
            exit_code_on_error: self.exit_code_on_error || file.exit_code_on_error,
            baseline: self.baseline.or(file.baseline),
            fail_on_regression: self.fail_on_regression || file.fail_on_regression,
            headless: self.headless || file.headless,
            autostart: self.autostart || file.autostart,
        }
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.000_1..=10_000.0).contains(&scale) => Ok(scale),
        _ => Err("it is a factor from 0.0001 to 10000, such as 0.1 for a tenth of the time".to_owned()),
    }
}

fn positive_rate(text: &str) -> Result<f64, String> {
    match parse_rate(text)? {
        rate if rate > 0.0 => Ok(rate),
        _ => Err("a rate of 0 starts nothing; it must be above 0".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("it is a number per second and must be above 0".to_owned()),
    }
}

fn noise(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("it is a percentage from 0 to 100, such as 3%".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("it is a number of 1 or more".to_owned()),
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse::<u16>().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse())
        .map_err(|_| "write it as PORT, or as ADDRESS:PORT such as 0.0.0.0:8090".to_owned())
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(threads) if (1..=1024).contains(&threads) => Ok(threads),
        _ => Err("it is a number from 1 to 1024".to_owned()),
    }
}
