//! `LoadTest`: what to run, put together by an embedding program or the command.
//!
//! Owns the order in which options win over each other and everything that can be wrong before a run.
//! Invariant: when `start` returns, the script is loaded on every thread and nothing is left to be checked.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::error::RunError;
use super::facts::{run_info, without_secrets};
use super::handle::{Report, RunHandle};
use super::http_options::http_options;
use super::prepared::Prepared;
use super::reload::{load_aside, panicked};
use crate::credentials::masked_url;
use crate::data::{Folders, Registry};
use crate::http::{Target, Transport};
use crate::metrics::{Known, ThresholdText, resolve};
use crate::metrics::{ResourceSource, SampleSink};
use crate::plan::{CapacityPlan, Options, Origin, PlanError, RunInfo, RunStages, TestPlan};
use crate::rhai::{Dynamic, Engine};
use crate::script::{
    AsyncCall, Common, Extension, HttpDebug, Level, Message, MessageSink, Param, RunState, ScriptInputs,
    ScriptPlan, Sources,
};
use crate::text::did_you_mean;
use crate::vu::{Shared, host_of};

/// A load test: a script, and how it is to be run.
///
/// What is set here wins over what the script sets with `options(#{ … })`; what neither sets has the
/// defaults of Locust: one user, one user per second, until stopped.
///
/// ```no_run
/// # async fn example() -> Result<(), rhaid::RunError> {
/// use std::time::Duration;
///
/// let report = rhaid::LoadTest::from_file("scripts/quickstart.rhai")?
///     .host("http://127.0.0.1:8000")
///     .users(50)
///     .spawn_rate(10.0)
///     .run_time(Duration::from_secs(60))
///     .run()
///     .await?;
/// println!("{} requests", report.snapshot().total.requests);
/// # Ok(())
/// # }
/// ```
pub struct LoadTest {
    pub(super) sources: Sources,
    script: PathBuf,
    options: Options,
    lower: Options,
    pub(super) extensions: Vec<Extension>,
    messages: MessageSink,
    http_debug: HttpDebug,
    watch: bool,
    resources: Option<Box<dyn ResourceSource>>,
    samples: Vec<Box<dyn SampleSink>>,
    origin: Origin,
    /// A parameter without a value is no error.
    listing: bool,
}

impl LoadTest {
    /// A test whose script is a file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<LoadTest, RunError> {
        let path = path.as_ref();
        let sources = Sources::from_file(path).map_err(RunError::Script)?;
        Ok(LoadTest::new(sources, path.to_owned()))
    }

    /// A test whose script is given as text. `name` stands in messages; imports are relative to its folder.
    pub fn from_text(name: &str, text: &str) -> LoadTest {
        LoadTest::new(Sources::from_text(name, text), PathBuf::from(name))
    }

    fn new(sources: Sources, script: PathBuf) -> LoadTest {
        LoadTest {
            sources,
            script,
            options: Options::default(),
            lower: Options::default(),
            extensions: Vec::new(),
            messages: Arc::new(|_| {}),
            http_debug: HttpDebug::Off,
            watch: false,
            resources: None,
            samples: Vec::new(),
            origin: Origin::default(),
            listing: false,
        }
    }

    /// Base URL that relative URLs of the script are joined to.
    #[must_use]
    pub fn host(mut self, url: &str) -> Self {
        self.options.host = Some(url.to_owned());
        self
    }

    /// Most virtual users at once.
    #[must_use]
    pub fn users(mut self, users: u64) -> Self {
        self.options.users = Some(users);
        self
    }

    /// Virtual users started per second.
    #[must_use]
    pub fn spawn_rate(mut self, users_per_second: f64) -> Self {
        self.options.spawn_rate = Some(users_per_second);
        self
    }

    /// Time from the start until the users are taken away, which happens at the spawn rate too.
    #[must_use]
    pub fn run_time(mut self, time: Duration) -> Self {
        self.options.run_time = Some(time);
        self
    }

    /// As [`LoadTest::run_time`], but counted from the moment when all users are there.
    #[must_use]
    pub fn hold(mut self, time: Duration) -> Self {
        self.options.hold = Some(time);
        self
    }

    /// Iterations started per second, whatever the target does, instead of a number of users.
    #[must_use]
    pub fn rate(mut self, iterations_per_second: f64) -> Self {
        self.options.rate = Some(iterations_per_second);
        self
    }

    /// Stages that the users, or the rate, follow; see [`parse_stages`](crate::plan::parse_stages).
    #[must_use]
    pub fn stages(mut self, stages: RunStages) -> Self {
        self.options.stages = Some(stages);
        self
    }

    /// Most virtual users at once that a rate may start; 1,000 by default.
    #[must_use]
    pub fn max_vus(mut self, users: u64) -> Self {
        self.options.max_vus = Some(users);
        self
    }

    /// Number of iterations of all users together, after which the run ends.
    #[must_use]
    pub fn iterations(mut self, iterations: u64) -> Self {
        self.options.iterations = Some(iterations);
        self
    }

    /// Time that running iterations get when the run stops; 30 s by default.
    #[must_use]
    pub fn stop_timeout(mut self, time: Duration) -> Self {
        self.options.stop_timeout = Some(time);
        self
    }

    /// Seed of everything random; without one each run has its own.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Worker threads; by default one per core.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = Some(threads);
        self
    }

    /// Value of a parameter that the script declares with `param`.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.options.params.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A limit on what is measured, such as `http_req_duration: p(95) < 200ms`; see the documentation of
    /// thresholds. It replaces a limit of the script on the same figure. Can be called several times.
    #[must_use]
    pub fn threshold(mut self, text: &str) -> Self {
        self.options.thresholds.push(ThresholdText::new(text, "LoadTest::threshold"));
        self
    }

    /// Searches for the highest rate at which a limit holds, instead of making a load that is known; what is found is
    /// `capacity` of the snapshot. Limits of the script are not judged meanwhile.
    #[must_use]
    pub fn find_capacity(mut self, search: CapacityPlan) -> Self {
        self.options.capacity = Some(search);
        self
    }

    /// Sends a message about each request to [`LoadTest::on_message`]; credentials are masked.
    #[must_use]
    pub fn http_debug(mut self, how: HttpDebug) -> Self {
        self.http_debug = how;
        self
    }

    /// Loads the script again while the run goes on, whenever it or a file it imports is saved; see
    /// [`RunHandle::reload`].
    #[must_use]
    pub fn watch(mut self, watch: bool) -> Self {
        self.watch = watch;
        self
    }

    /// Measures CPU, memory, network and disk beside the run; `rhaid::resources::Monitor` is such a source. Without
    /// one, the run has no resource figures.
    #[must_use]
    pub fn resources(mut self, source: impl ResourceSource + 'static) -> Self {
        self.resources = Some(Box::new(source));
        self
    }

    /// Gives every sample of the run to a sink as well, on a thread of its own: requests, iterations, checks, values of
    /// the script's metrics. [`SamplesFile`](crate::results::SamplesFile) writes them down as k6 does. Can be called
    /// several times. Without one, samples cost nothing.
    #[must_use]
    pub fn samples(mut self, sink: impl SampleSink + 'static) -> Self {
        self.samples.push(Box::new(sink));
        self
    }

    /// What reports tell of where the run was made and of what: command, commit, environment, notes. It changes nothing
    /// of the run.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// A further folder that imports are looked for in, when the folder of the importing file does not have
    /// them. Folders are tried in the order in which they were added.
    #[must_use]
    pub fn lib_root(mut self, folder: impl AsRef<Path>) -> Self {
        self.sources = self.sources.with_root(folder.as_ref());
        self
    }

    /// Many settings at once; what they say wins over what was set before.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options.or(self.options);
        self
    }

    /// Settings below those of the script: they hold where neither caller nor script says anything.
    #[must_use]
    pub fn defaults(mut self, options: Options) -> Self {
        self.lower = options.or(self.lower);
        self
    }

    /// Adds functions, types or modules to the Rhai engine of each worker thread.
    ///
    /// The closure is called once for each thread. Functions must not block: they hold up every virtual
    /// user of their thread; see [`LoadTest::with_async_fn`].
    #[must_use]
    pub fn with_engine(mut self, extend: impl Fn(&mut Engine) + Send + Sync + 'static) -> Self {
        self.extensions.push(Extension::Engine(Arc::new(extend)));
        self
    }

    /// Adds a function that may wait: its future suspends the virtual user, not the thread.
    ///
    /// Scripts can call it with up to four arguments, which are in [`AsyncCall::args`]. An error becomes a
    /// script error. The future runs on the worker thread's tokio runtime and need not be `Send`.
    #[must_use]
    pub fn with_async_fn<F, R>(mut self, name: &str, function: F) -> Self
    where
        F: Fn(AsyncCall) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Dynamic, String>> + 'static,
    {
        let function =
            Arc::new(move |call| -> std::pin::Pin<Box<dyn Future<Output = _>>> { Box::pin(function(call)) });
        self.extensions.push(Extension::Async { name: name.to_owned(), function });
        self
    }

    /// Lets the script read data files below this folder too, not only below its own. Can be called several times.
    #[must_use]
    pub fn data_root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.data_roots.push(folder.into());
        self
    }

    /// Receives what scripts print and the errors they make. Called on worker threads: it must not block.
    /// Without it they are dropped (errors are still counted).
    #[must_use]
    pub fn on_message(mut self, receive: impl Fn(Message) + Send + Sync + 'static) -> Self {
        self.messages = Arc::new(receive);
        self
    }

    /// The parameters that the script declares, with their values.
    ///
    /// # Errors
    /// When the script does not load.
    pub fn params(&self) -> Result<Vec<Param>, RunError> {
        let inputs = ScriptInputs { listing: true, ..self.inputs(0) };
        Ok(self.load(inputs)?.params)
    }

    /// The settings that the script itself declares with `options`.
    ///
    /// # Errors
    /// When the script does not load.
    pub fn declared_options(&self) -> Result<Options, RunError> {
        let inputs = ScriptInputs { listing: true, ..self.inputs(0) };
        Ok(self.load(inputs)?.options)
    }

    /// Runs the test to its end. Dropping the future, as a timeout around it does, ends the run at once.
    ///
    /// # Errors
    /// When it cannot start: the script does not load, or something is set wrongly. What happens during the
    /// run is in the report.
    pub async fn run(self) -> Result<Report, RunError> {
        self.start().await?.wait().await
    }

    /// Starts the test and gives a handle to watch and stop it.
    ///
    /// # Errors
    /// As [`LoadTest::run`].
    pub async fn start(self) -> Result<RunHandle, RunError> {
        self.prepare()?.start().await
    }

    /// Loads and checks everything without making any load.
    ///
    /// # Errors
    /// As [`LoadTest::run`].
    pub fn prepare(mut self) -> Result<Prepared, RunError> {
        let resources = self.resources.take();
        let samples = std::mem::take(&mut self.samples);
        // 32 bits are enough to tell runs apart and short enough to be typed again.
        let random_seed = rand::random::<u32>();
        let (info, shared) = self.check(u64::from(random_seed))?;
        Ok(Prepared { info, shared, resources, samples })
    }

    /// What the script is given: with new common state, so that each run begins with nothing read or kept.
    pub(super) fn inputs(&self, seed: u64) -> ScriptInputs {
        let options = self.options.clone().or(self.lower.clone());
        let folders = Folders::new(&self.script, &options.data_roots);
        let common = Arc::new(Common { data: Registry::new(folders), ..Common::default() });
        ScriptInputs {
            params: options.params,
            env: options.env,
            listing: self.listing,
            seed,
            common,
            http_debug: self.http_debug,
        }
    }

    /// The same test for looking at its script alone: nothing is shown, and a parameter needs no value.
    pub(super) fn aside(&self) -> LoadTest {
        LoadTest {
            sources: self.sources.clone(),
            script: self.script.clone(),
            options: self.options.clone(),
            lower: self.lower.clone(),
            extensions: self.extensions.clone(),
            messages: Arc::new(|_| {}),
            http_debug: HttpDebug::Off,
            watch: false,
            resources: None,
            samples: Vec::new(),
            origin: Origin::default(),
            listing: true,
        }
    }

    /// Loads the script once to learn what it declares.
    pub(super) fn load(&self, inputs: ScriptInputs) -> Result<ScriptPlan, RunError> {
        let (sources, extensions) = (self.sources.clone(), self.extensions.clone());
        let loading =
            load_aside(sources, extensions, self.messages.clone(), inputs).map_err(RunError::Thread)?;
        loading
            .join()
            .unwrap_or_else(|_| Err(panicked(&self.sources)))
            .map_err(|error| RunError::Load(error, Vec::new()))
    }

    /// Everything that can be wrong is found here, before any thread of the run exists.
    fn check(mut self, random_seed: u64) -> Result<(RunInfo, Shared), RunError> {
        self.sources.check_roots().map_err(RunError::Script)?;
        let seed = self.options.seed.or(self.lower.seed).unwrap_or(random_seed);
        let mut inputs = self.inputs(seed);
        let mut declared = self.load(inputs.clone()).map_err(|error| self.with_others(error, &inputs))?;
        if let (None, Some(seed)) = (self.options.seed, declared.options.seed) {
            // What the top level drew at random has to follow from the seed that it sets itself.
            inputs.seed = seed;
            declared = self.load(inputs.clone())?;
        }
        check_params(&inputs, &declared.params)?;
        let unfiltered = declared.scenarios.clone();
        // A scenario's own host is more specific than the script's, and the caller's overrides both.
        let host = declared.options.host.take().or(self.lower.host.take());
        for scenario in &mut declared.scenarios {
            if scenario.host.is_none() {
                scenario.host.clone_from(&host);
            }
        }
        let mut options = self.options.or(declared.options).or(self.lower);
        let mut texts = std::mem::take(&mut options.thresholds);
        if let Some(capacity) = &options.capacity {
            // The search goes beyond what a service is to bear, so its limits would mean nothing.
            texts = vec![ThresholdText::new(capacity.threshold(), "find_capacity")];
        }
        let is_tried_out = options.once;
        let plan = TestPlan::new(options, declared.scenarios, seed);
        let known = Known {
            own: declared.own_metrics,
            scenarios: unfiltered.iter().map(|scenario| scenario.name.clone()).collect(),
            stages: plan.as_ref().ok().map(TestPlan::stage_names),
        };
        let (plan, (mut thresholds, doubts)) = both(plan, resolve(&texts, &known).map_err(PlanError))?;
        if is_tried_out {
            // One iteration says nothing about a service.
            thresholds.clear();
        }
        for warning in plan.warnings.iter().chain(&doubts) {
            (self.messages)(Message { level: Level::Warning, text: warning.clone(), from: None });
        }
        check_hosts(&plan)?;
        let http = http_options(&plan.http).map_err(RunError::Http)?;
        let transport = Transport::new(http).map_err(|error| RunError::Http(error.to_string()))?;
        let info = run_info(&plan, self.script, self.sources.all(), &declared.params, self.origin);
        let info = RunInfo { is_trial: is_tried_out, ..without_secrets(info, &inputs.common.secrets) };
        let shared = Shared {
            inputs,
            iterations_left: plan.iterations.map(AtomicU64::new),
            plan,
            sources: self.sources,
            extensions: self.extensions,
            variables: declared.variables,
            declared: unfiltered,
            watch: self.watch,
            thresholds,
            own_metrics: known.own,
            transport,
            run: Arc::new(RunState::default()),
            messages: self.messages,
        };
        Ok((info, shared))
    }
}

/// Both results, or the problems of both.
fn both<A, B>(a: Result<A, PlanError>, b: Result<B, PlanError>) -> Result<(A, B), RunError> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(PlanError(mut problems)), Err(PlanError(more))) => {
            problems.extend(more);
            Err(RunError::Plan(PlanError(problems)))
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(RunError::Plan(error)),
    }
}

/// A value for a parameter that the script does not declare is a typing error.
fn check_params(inputs: &ScriptInputs, declared: &[Param]) -> Result<(), RunError> {
    let names = || declared.iter().map(|param| param.name.as_str());
    let unknown = inputs.params.keys().filter(|name| !names().any(|known| known == *name));
    let problems: Vec<String> = unknown
        .map(|name| format!("the script declares no parameter '{name}'{}", did_you_mean(name, names())))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(RunError::Plan(PlanError(problems))) }
}

fn check_hosts(plan: &TestPlan) -> Result<(), RunError> {
    let hosts = plan.scenarios.iter().filter_map(|scenario| host_of(plan, Some(scenario)));
    for host in hosts {
        if !host.contains("://") {
            return Err(RunError::Host(format!(
                "the host '{0}' lacks http:// or https://; write http://{0}",
                masked_url(host)
            )));
        }
        Target::parse(host).map_err(|error| RunError::Host(format!("the host is no URL: {error}")))?;
    }
    Ok(())
}
