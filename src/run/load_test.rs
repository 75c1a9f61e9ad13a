//! `LoadTest`: what to run, put together by an embedding program or the command.
//!
//! Owns the settings of the caller. Leaves what they come to, with those of the script, to `preparation`.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::RunError;
use super::handle::{Report, RunHandle};
use crate::metrics::{ResourceSource, SampleSink, ThresholdText};
use crate::plan::{CapacityPlan, FailsOn, Options, Origin, RunStages, ScenarioPlan};
use crate::rhai::{Dynamic, Engine};
use crate::script::foreign_file;
use crate::script::{AsyncCall, Extension, HttpDebug, Message, MessageSink, Param, ScriptInputs, Sources};
use crate::share::Share;

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
    pub(super) script: PathBuf,
    pub(super) options: Options,
    pub(super) lower: Options,
    pub(super) extensions: Vec<Extension>,
    pub(super) messages: MessageSink,
    pub(super) http_debug: HttpDebug,
    pub(super) watch: bool,
    pub(super) check_first: bool,
    pub(super) resources: Option<Box<dyn ResourceSource>>,
    pub(super) samples: Vec<Box<dyn SampleSink>>,
    pub(super) origin: Origin,
    pub(super) fails_on: FailsOn,
    /// What this process takes of the load; `None` is all of it.
    pub(super) share: Option<Share>,
    /// A parameter without a value is no error.
    pub(super) listing: bool,
    /// Set when the test comes from another machine.
    #[cfg(feature = "cluster")]
    pub(super) sent: Option<Arc<super::job::Sent>>,
}

impl LoadTest {
    /// A test whose script is a file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<LoadTest, RunError> {
        let path = path.as_ref();
        if let Some(problem) = foreign_file(path) {
            return Err(RunError::Script(problem));
        }
        let sources = Sources::from_file(path).map_err(RunError::Script)?;
        Ok(LoadTest::new(sources, path.to_owned()))
    }

    /// A test whose script is given as text. `name` stands in messages; imports are relative to its folder.
    pub fn from_text(name: &str, text: &str) -> LoadTest {
        LoadTest::new(Sources::from_text(name, text), PathBuf::from(name))
    }

    pub(super) fn new(sources: Sources, script: PathBuf) -> LoadTest {
        LoadTest {
            sources,
            script,
            options: Options::default(),
            lower: Options::default(),
            extensions: Vec::new(),
            messages: Arc::new(|_| {}),
            http_debug: HttpDebug::Off,
            watch: false,
            check_first: false,
            resources: None,
            samples: Vec::new(),
            origin: Origin::default(),
            fails_on: FailsOn::default(),
            share: None,
            listing: false,
            #[cfg(feature = "cluster")]
            sent: None,
        }
    }

    /// This process makes only this part of the load, on as many threads as the share says; others make the rest.
    #[cfg_attr(not(test), allow(dead_code, reason = "whoever joins several processes calls it"))]
    pub(crate) fn share(mut self, share: Share) -> Self {
        self.share = Some(share);
        self
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

    /// Duration of the load: after it no iteration begins, and the running ones end.
    #[must_use]
    pub fn run_time(mut self, time: Duration) -> Self {
        self.options.run_time = Some(time);
        self
    }

    /// The last part of the run time, in which users leave one by one; by default, all leave at its end.
    #[must_use]
    pub fn ramp_down(mut self, time: Duration) -> Self {
        self.options.ramp_down = Some(time);
        self
    }

    /// As [`LoadTest::run_time`], but counted from the moment when all users are there, and without the ramp-down.
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

    /// Time that a running iteration may go on undisturbed, sleeps included, when the time of the load is over, as k6's
    /// `gracefulStop`; by default, it ends at its next sleep.
    #[must_use]
    pub fn graceful_stop(mut self, time: Duration) -> Self {
        self.options.graceful_stop = Some(time);
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

    /// Refuses a script in which [`LoadTest::find_problems`] finds an error, such as a misspelt function in a task that is
    /// rarely picked, before any load; and a changed one during the run. The command does so.
    #[must_use]
    pub fn check_first(mut self, check: bool) -> Self {
        self.check_first = check;
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

    /// What fails the run besides its thresholds; by default, only a run in which nothing succeeded.
    #[must_use]
    pub fn fails_on(mut self, fails_on: FailsOn) -> Self {
        self.fails_on = fails_on;
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

    /// The scenarios that the script declares.
    ///
    /// # Errors
    /// When the script does not load.
    pub fn declared_scenarios(&self) -> Result<Vec<ScenarioPlan>, RunError> {
        let inputs = ScriptInputs { listing: true, ..self.inputs(0) };
        Ok(self.load(inputs)?.scenarios)
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
}
