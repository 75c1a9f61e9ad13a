//! Arguments of `rhaid run`: the script, its load, its requests, and the options they stand for.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::cluster::ClusterArgs;
use super::output::OutputArgs;
use super::resources::ResourceArgs;
use super::values::{choice, key_value, positive_rate, rate, threads, time_scale, weight};
use super::web::PageArgs;
use crate::HttpDebug;
use crate::http::{DnsChoice, ProxyChoice, VersionChoice};
use crate::metrics::ThresholdText;
use crate::plan::{Arrivals, CapacityPlan, HttpLayer, Late, Options, RunStages, parse_stages};
use crate::text::parse_duration;

/// Arguments of `rhaid run`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = RUN_HELP)]
pub(in crate::cli) struct RunArgs {
    /// Script to run (`rhaid run SCRIPT --help` lists its parameters)
    #[arg(value_name = "SCRIPT", env = "RHAID_SCRIPT")]
    pub(in crate::cli) script: Option<PathBuf>,

    /// Same as SCRIPT, as in Locust
    #[arg(short = 'f', long = "script", value_name = "SCRIPT", alias = "locustfile", id = "script_flag")]
    pub(in crate::cli) script_flag: Option<PathBuf>,

    /// Base URL for relative URLs in the script
    #[arg(short = 'H', long, value_name = "URL", env = "RHAID_HOST")]
    pub(in crate::cli) host: Option<String>,

    /// Number of virtual users [default: 1]
    #[arg(short, long, visible_alias = "vus", value_name = "N", env = "RHAID_USERS", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(in crate::cli) users: Option<u64>,

    /// Virtual users to start per second [default: 1]
    #[arg(short = 'r', long, value_name = "N", env = "RHAID_SPAWN_RATE", value_parser = rate)]
    pub(in crate::cli) spawn_rate: Option<f64>,

    /// Duration of the run, such as 300ms, 90, 1m30s or 2h; no iteration starts after it [default: until stopped]
    #[arg(short = 't', long, visible_alias = "duration", value_name = "TIME", env = "RHAID_RUN_TIME", value_parser = parse_duration)]
    pub(in crate::cli) run_time: Option<Duration>,

    /// Stop after this many iterations, summed over all users
    #[arg(short, long, value_name = "N", env = "RHAID_ITERATIONS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) iterations: Option<u64>,

    /// Run only this scenario; can be repeated
    #[arg(long, value_name = "NAME", env = "RHAID_SCENARIO", value_delimiter = ',')]
    pub(in crate::cli) scenario: Vec<String>,

    /// Weight of a scenario, instead of the script's; can be repeated
    #[arg(long, value_name = "NAME=N", env = "RHAID_WEIGHT", value_delimiter = ',', value_parser = weight)]
    pub(in crate::cli) weight: Vec<(String, f64)>,

    /// Run only tasks with one of these tags; can be repeated
    #[arg(
        short = 'T',
        long,
        visible_alias = "include-tags",
        value_name = "TAG,…",
        env = "RHAID_TAGS",
        value_delimiter = ','
    )]
    pub(in crate::cli) tags: Vec<String>,

    /// Skip tasks with one of these tags, even if --tags selects them
    #[arg(short = 'E', long, value_name = "TAG,…", env = "RHAID_EXCLUDE_TAGS", value_delimiter = ',')]
    pub(in crate::cli) exclude_tags: Vec<String>,

    /// Try the script: one user, one iteration (or all steps of a sequence), every request shown; exit with code 1
    /// if anything failed
    #[arg(long, env = "RHAID_ONCE", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) once: bool,

    /// With --once: run each task of all scenarios once, whatever its weight; implies --once
    #[arg(long, env = "RHAID_EACH_TASK", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) each_task: bool,

    /// Run the script even if `rhaid check` finds errors in it
    #[arg(long, env = "RHAID_NO_CHECK", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) no_check: bool,

    /// Show requests and responses with headers and timings; =full adds bodies up to 4 kB; credentials are
    /// masked
    #[arg(long, value_name = "HOW", env = "RHAID_HTTP_DEBUG", num_args = 0..=1, require_equals = true,
          default_missing_value = "headers", value_parser = choice(&HTTP_DEBUG))]
    pub(in crate::cli) http_debug: Option<HttpDebug>,

    /// Reload the script when it is saved; new iterations use the new version
    #[arg(long, env = "RHAID_WATCH", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) watch: bool,

    /// Additional directory to search for imports; can be repeated
    #[arg(long, value_name = "DIR", env = "RHAID_LIB", value_delimiter = ':')]
    pub(in crate::cli) lib: Vec<PathBuf>,

    /// Set a variable that the script reads with env::get
    #[arg(short = 'e', long = "env", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) env: Vec<(String, String)>,

    /// Set a parameter that the script declares with param
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    pub(in crate::cli) param: Vec<(String, String)>,

    /// Additional directory from which the script may read data files; can be repeated
    #[arg(long, value_name = "DIR", env = "RHAID_DATA", value_delimiter = ',')]
    pub(in crate::cli) data: Vec<PathBuf>,

    /// Tag to add to every request
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) tag: Vec<(String, String)>,

    /// Threshold such as 'http_req_duration: p(95) < 200ms'; separate several with ; or repeat the flag
    #[arg(long, value_name = "METRIC: EXPRESSION", env = "RHAID_THRESHOLD", value_delimiter = ';')]
    pub(in crate::cli) threshold: Vec<String>,

    /// Random seed [default: a new one for each run]
    #[arg(long, value_name = "N", env = "RHAID_SEED")]
    pub(in crate::cli) seed: Option<u64>,

    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", env = "RHAID_THREADS", value_parser = threads)]
    pub(in crate::cli) threads: Option<usize>,

    /// Time that running iterations get to finish when the run stops [default: 30s]
    #[arg(short = 's', long, value_name = "TIME", env = "RHAID_STOP_TIMEOUT", value_parser = parse_duration)]
    pub(in crate::cli) stop_timeout: Option<Duration>,

    /// Time that running iterations may go on, sleeps included, when the time of the load is over [default: they end at their
    /// next sleep]
    #[arg(long, value_name = "TIME", env = "RHAID_GRACEFUL_STOP", value_parser = parse_duration)]
    pub(in crate::cli) graceful_stop: Option<Duration>,

    /// Time that setup may take [default: 60s]
    #[arg(long, value_name = "TIME", env = "RHAID_SETUP_TIMEOUT", value_parser = parse_duration)]
    pub(in crate::cli) setup_timeout: Option<Duration>,

    /// Settings file [default: rhaid.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "RHAID_CONFIG")]
    pub(in crate::cli) config: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) load: LoadArgs,

    #[command(flatten)]
    pub(in crate::cli) http: HttpArgs,

    #[command(flatten)]
    pub(in crate::cli) resources: ResourceArgs,

    #[command(flatten)]
    pub(in crate::cli) page: PageArgs,

    #[command(flatten)]
    pub(in crate::cli) cluster: ClusterArgs,

    /// Go on with a distributed run whose coordinator was killed: its directory, its name in the results directory, or last
    #[arg(long, help_heading = "Several machines", value_name = "RUN")]
    pub(in crate::cli) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

/// The load for scenarios without an executor of their own.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Load")]
pub(in crate::cli) struct LoadArgs {
    /// Arrival rate: iterations started per second, however slow the target is: 50, 137/s, 600/m
    #[arg(long, value_name = "RATE", env = "RHAID_RATE", value_parser = positive_rate, allow_hyphen_values = true)]
    pub(in crate::cli) rate: Option<f64>,

    /// Stages of users or of the rate: 30s:20,1m:20,10s:0 or 30s:100/s,1m:100/s; NAME=30s:20 names a stage
    #[arg(long, value_name = "TIME:TARGET,…", env = "RHAID_STAGES", value_parser = parse_stages)]
    pub(in crate::cli) stages: Option<RunStages>,

    /// Find the highest rate that meets this threshold, such as 'http_resp_time: p(95) < 200ms'
    #[arg(long, value_name = "METRIC: EXPRESSION", env = "RHAID_FIND_CAPACITY",
          conflicts_with_all = ["profile", "rate", "stages", "shape", "hold", "ramp_down", "users", "run_time"])]
    pub(in crate::cli) find_capacity: Option<String>,

    /// With --find-capacity, the rate to start with [default: 10/s]
    #[arg(long, value_name = "RATE", env = "RHAID_MIN_RATE", value_parser = positive_rate, requires = "find_capacity")]
    pub(in crate::cli) min_rate: Option<f64>,

    /// With --find-capacity, the highest rate to try [default: 100000/s]
    #[arg(long, value_name = "RATE", env = "RHAID_MAX_RATE", value_parser = positive_rate, requires = "find_capacity")]
    pub(in crate::cli) max_rate: Option<f64>,

    /// With --find-capacity, how long to evaluate each rate [default: 10s]
    #[arg(long, value_name = "TIME", env = "RHAID_STEP_TIME", value_parser = parse_duration, requires = "find_capacity")]
    pub(in crate::cli) step_time: Option<Duration>,

    /// Load profile: load, stress, spike, endurance, all (one after the other), or a file that declares
    /// options(…)
    #[arg(long, value_name = "NAME|FILE", env = "RHAID_PROFILE")]
    pub(in crate::cli) profile: Option<String>,

    /// With --profile, scale its times: 0.1 takes a tenth of the time
    #[arg(long, value_name = "FACTOR", env = "RHAID_TIME_SCALE", value_parser = time_scale)]
    pub(in crate::cli) time_scale: Option<f64>,

    /// Script function that returns the number of users or the rate, called every second
    #[arg(long, value_name = "FUNCTION", env = "RHAID_SHAPE")]
    pub(in crate::cli) shape: Option<String>,

    /// Last part of --run-time, in which users leave one by one [default: all leave at its end]
    #[arg(long, value_name = "TIME", env = "RHAID_RAMP_DOWN", value_parser = parse_duration)]
    pub(in crate::cli) ramp_down: Option<Duration>,

    /// Like --run-time, but counted from the end of ramp-up; --ramp-down follows it
    #[arg(long, value_name = "TIME", env = "RHAID_HOLD", value_parser = parse_duration)]
    pub(in crate::cli) hold: Option<Duration>,

    /// With a rate, maximum number of virtual users [default: 1000]
    #[arg(long, value_name = "N", env = "RHAID_MAX_VUS", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(in crate::cli) max_vus: Option<u64>,

    /// With a rate, virtual users to start with [default: 0]
    #[arg(long, value_name = "N", env = "RHAID_PRE_ALLOCATED_VUS", value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub(in crate::cli) pre_allocated_vus: Option<u64>,

    /// With a rate, how iterations are spread over time: evenly or as independent arrivals [default: uniform]
    #[arg(long, value_name = "HOW", env = "RHAID_ARRIVALS", value_parser = choice(&Arrivals::CHOICES))]
    pub(in crate::cli) arrivals: Option<Arrivals>,

    /// With a rate, whether an iteration waits or is dropped if no user is free [default: queue]
    #[arg(long, value_name = "WHAT", env = "RHAID_LATE", value_parser = choice(&Late::CHOICES))]
    pub(in crate::cli) late: Option<Late>,
}

/// How requests are made.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Requests")]
pub(in crate::cli) struct HttpArgs {
    /// Accept any certificate
    #[arg(long, env = "RHAID_INSECURE", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) insecure: bool,

    /// PEM file with certificates to trust in addition to the system's
    #[arg(long, value_name = "FILE", env = "RHAID_CA_FILE")]
    pub(in crate::cli) ca_file: Option<PathBuf>,

    /// PEM file with a client certificate chain and its key
    #[arg(long, value_name = "FILE", env = "RHAID_CLIENT_CERT")]
    pub(in crate::cli) client_cert: Option<PathBuf>,

    /// Proxy URL, or `env` to use HTTP_PROXY, HTTPS_PROXY and NO_PROXY [default: none]
    #[arg(long, value_name = "URL", env = "RHAID_PROXY", value_parser = proxy)]
    pub(in crate::cli) proxy: Option<ProxyChoice>,

    /// HTTP version: auto, 1.1 or 2 [default: auto]
    #[arg(long, value_name = "VERSION", env = "RHAID_HTTP_VERSION", value_parser = VersionChoice::parse)]
    pub(in crate::cli) http_version: Option<VersionChoice>,

    /// Timeout for a whole request [default: 60s]
    #[arg(long, value_name = "TIME", env = "RHAID_TIMEOUT", value_parser = parse_duration)]
    pub(in crate::cli) timeout: Option<Duration>,

    /// Timeout for opening a connection: DNS, TCP, proxy and TLS together [default: 10s]
    #[arg(long, value_name = "TIME", env = "RHAID_CONNECT_TIMEOUT", value_parser = parse_duration)]
    pub(in crate::cli) connect_timeout: Option<Duration>,

    /// Which address of a name connections go to: first, round-robin or random [default: round-robin]
    #[arg(long, value_name = "HOW", env = "RHAID_DNS", value_parser = choice(&DnsChoice::CHOICES))]
    pub(in crate::cli) dns: Option<DnsChoice>,

    /// How long the addresses of a name are used before it is looked up again [default: 5m]
    #[arg(long, value_name = "TIME", env = "RHAID_DNS_TTL", value_parser = parse_duration)]
    pub(in crate::cli) dns_ttl: Option<Duration>,

    /// Maximum number of redirects to follow [default: 10]
    #[arg(long, value_name = "N", env = "RHAID_MAX_REDIRECTS")]
    pub(in crate::cli) max_redirects: Option<u32>,

    /// Value of the User-Agent header [default: rhaid/VERSION]
    #[arg(long, value_name = "TEXT", env = "RHAID_USER_AGENT")]
    pub(in crate::cli) user_agent: Option<String>,
}

/// What `--http-debug` may be.
const HTTP_DEBUG: [(&str, HttpDebug); 2] = [("headers", HttpDebug::Headers), ("full", HttpDebug::Full)];

fn proxy(text: &str) -> Result<ProxyChoice, Infallible> {
    Ok(ProxyChoice::named(text))
}

const RUN_HELP: &str = "\
Every flag except -e, --param and --tag can also be set in the environment as RHAID_…, and in rhaid.toml by its long \
name. Parameters are set as RHAID_PARAM_NAME or in [params]; rhaid.toml also has [env] and [tags]. Order of precedence: \
flag, environment, file, script, default.

Exit codes:
    0 passed
    1 nothing succeeded, or errors with --exit-code-on-error
    2 invalid usage
   97 no requests were made
   98 worse than the baseline, with --fail-on-regression
   99 a threshold was breached
  103 agents of a distributed run were lost
  104 invalid settings or script, or a file could not be written
  105 stopped by a signal
  107 setup failed
  108 aborted by the script";

impl RunArgs {
    /// The script, however it was named.
    pub(in crate::cli) fn script(&self) -> Option<&PathBuf> {
        self.script_flag.as_ref().or(self.script.as_ref())
    }

    /// What is shown of each request.
    pub(in crate::cli) fn http_debug(&self) -> HttpDebug {
        self.http_debug.unwrap_or(if self.once { HttpDebug::Lines } else { HttpDebug::Off })
    }

    fn thresholds(&self) -> Vec<ThresholdText> {
        let texts = self.threshold.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        texts.map(|text| ThresholdText::new(text, "--threshold")).collect()
    }

    /// The settings that the flags stand for.
    pub(in crate::cli) fn options(&self) -> Options {
        Options {
            host: self.host.clone(),
            users: self.users,
            spawn_rate: self.spawn_rate,
            rate: self.load.rate,
            stages: self.load.stages.clone(),
            shape: self.load.shape.clone(),
            max_vus: self.load.max_vus,
            pre_allocated_vus: self.load.pre_allocated_vus,
            arrivals: self.load.arrivals,
            late: self.load.late,
            run_time: self.run_time,
            ramp_down: self.load.ramp_down,
            hold: self.load.hold,
            capacity: self.load.capacity(),
            once: self.once || self.each_task,
            each_task: self.each_task,
            iterations: self.iterations,
            stop_timeout: self.stop_timeout,
            graceful_stop: self.graceful_stop,
            setup_timeout: self.setup_timeout,
            seed: self.seed,
            threads: self.threads,
            scenarios: self.scenario.clone(),
            weights: self.weight.iter().cloned().collect(),
            include_tags: self.tags.clone(),
            exclude_tags: self.exclude_tags.clone(),
            tags: self.tag.iter().cloned().collect(),
            params: self.param.iter().cloned().collect(),
            env: self.env.iter().cloned().collect(),
            data_roots: self.data.clone(),
            thresholds: self.thresholds(),
            http: HttpLayer {
                dns: self.http.dns,
                dns_ttl: self.http.dns_ttl,
                insecure: self.http.insecure.then_some(true),
                ca_file: self.http.ca_file.clone(),
                client_cert: self.http.client_cert.clone(),
                proxy: self.http.proxy.clone(),
                http_version: self.http.http_version,
                timeout: self.http.timeout,
                connect_timeout: self.http.connect_timeout,
                max_redirects: self.http.max_redirects,
                user_agent: self.http.user_agent.clone(),
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
