//! A test that is ready: started here, on a thread of its own.

#[cfg(feature = "cli")]
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::driver::Driver;
use super::error::RunError;
use super::handle::RunHandle;
use super::limits::warnings_for;
use super::reload::masked;
use super::requests::Requests;
use super::samples::SampleWriter;
use super::threads::Threads;
use super::watchdog::Watchdog;
use super::worker_loop::WorkerError;
use super::workers::Workers;
use crate::metrics::{ResourceSource, SampleSink, Snapshot, TapLine};
#[cfg(feature = "cli")]
use crate::plan::Commit;
use crate::plan::RunInfo;
use crate::script::{Level, Message, Pulse};
use crate::vu::Shared;

/// A test that is ready to start: its script is loaded and its settings are checked.
pub struct Prepared {
    pub(super) info: RunInfo,
    pub(super) shared: Shared,
    pub(super) resources: Option<Box<dyn ResourceSource>>,
    pub(super) samples: Vec<Box<dyn SampleSink>>,
}

impl Prepared {
    /// What will be run, and how.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// As [`LoadTest::resources`](super::LoadTest::resources), when what is to be watched depends on what will be run.
    #[must_use]
    pub fn resources(mut self, source: impl ResourceSource + 'static) -> Self {
        self.resources = Some(Box::new(source));
        self
    }

    /// The commit of [`LoadTest::origin`](super::LoadTest::origin), which takes longer to find than a script to load.
    #[cfg(feature = "cli")]
    pub(crate) fn commit(mut self, commit: Option<Commit>) -> Self {
        self.info.origin.commit = commit;
        self
    }

    /// As [`LoadTest::samples`](super::LoadTest::samples).
    #[must_use]
    pub fn samples(mut self, sink: impl SampleSink + 'static) -> Self {
        self.samples.push(Box::new(sink));
        self
    }

    /// The files that the script and its settings need, with what they are, to be told from those that are written.
    #[cfg(feature = "cli")]
    pub(crate) fn files_read(&self) -> Vec<(&'static str, PathBuf)> {
        let scripts = self.info.files.iter().map(|(name, _)| ("the script", PathBuf::from(name)));
        let data = self.shared.inputs.common.data.files().into_iter().map(|path| ("the data file", path));
        let http = &self.shared.plan.http;
        let certificates = [("the CA file", &http.ca_file), ("the client certificate", &http.client_cert)];
        let certificates = certificates.into_iter().filter_map(|(what, path)| Some((what, path.clone()?)));
        scripts.chain(data).chain(certificates).collect()
    }

    /// What the workers of the run are given.
    #[cfg(feature = "cluster")]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn into_shared(self) -> Arc<Shared> {
        Arc::new(self.shared)
    }

    /// Masks the secrets that the script declares, in whatever text; `None` for a text that holds none.
    #[cfg(feature = "cli")]
    pub(crate) fn mask(&self) -> crate::metrics::Mask {
        let common = self.shared.inputs.common.clone();
        Arc::new(move |text| common.secrets.mask_declared(text))
    }

    /// Whether anything is limited.
    #[cfg(feature = "cli")]
    pub(crate) fn has_thresholds(&self) -> bool {
        !self.shared.thresholds.is_empty()
    }

    /// The thresholds, as they are written.
    #[cfg(feature = "cli")]
    pub(crate) fn thresholds(&self) -> Vec<String> {
        self.shared.thresholds.iter().map(crate::analysis::thresholds::whole).collect()
    }

    /// What is set so that it hardly is meant so.
    pub(super) fn warnings(&self) -> &[String] {
        &self.shared.plan.warnings
    }

    /// Starts the test. What the system will not let it have is a warning among the messages.
    ///
    /// # Errors
    /// When the system refuses a thread, or the script does not load on one of them.
    pub async fn start(self) -> Result<RunHandle, RunError> {
        for text in warnings_for(self.shared.plan.users) {
            (self.shared.messages)(Message { level: Level::Warning, text, from: None });
        }
        self.start_on(async |shared, line| {
            let threads = Threads::start(shared, line).await?;
            let pulses = threads.pulses();
            Ok((threads, pulses))
        })
        .await
    }

    /// Starts the test on the machines of a cluster.
    ///
    /// # Errors
    /// When the system refuses a thread.
    #[cfg(feature = "cluster")]
    pub(crate) async fn start_on_workers(
        self,
        workers: impl Workers + Send + 'static,
    ) -> Result<RunHandle, RunError> {
        self.start_on(async move |_, _| Ok((workers, Vec::new()))).await
    }

    /// Starts the test on workers that are made on the run's own thread.
    async fn start_on<W: Workers, F>(self, make: F) -> Result<RunHandle, RunError>
    where
        F: AsyncFnOnce(&Arc<Shared>, Option<&TapLine>) -> Result<(W, Vec<Arc<Pulse>>), WorkerError>
            + Send
            + 'static,
    {
        let Prepared { info, shared, resources, samples } = self;
        let common = shared.inputs.common.clone();
        let of_run = info.clone();
        // Held here until the handle has it: a start that is given up is the end of the run too.
        let (requests, hold, inbox) = Requests::channel();
        let (started, is_started) = oneshot::channel();
        let (ended, result) = oneshot::channel();
        // A thread of its own: the run keeps its time whatever the caller's runtime is busy with.
        let thread = std::thread::Builder::new()
            .name("rhaid-run".to_owned())
            .spawn(move || {
                let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        let _ = started.send(Err(WorkerError::Runtime(error)));
                        return;
                    }
                };
                runtime.block_on(async move {
                    let mut started = started;
                    let made = tokio::select! {
                        made = driver(of_run, Arc::new(shared), resources, samples, make) => made,
                        // Given up: a thread on which the script never loads is left behind.
                        () = started.closed() => return,
                    };
                    match made {
                        Ok((driver, snapshots)) => {
                            let _ = started.send(Ok(snapshots));
                            let _ = ended.send(driver.run(inbox).await);
                        }
                        Err(error) => {
                            let _ = started.send(Err(error));
                        }
                    }
                });
            })
            .map_err(RunError::Thread)?;
        match is_started.await {
            Ok(Ok(snapshots)) => Ok(RunHandle::new(info, snapshots, requests, result, thread, hold)),
            Ok(Err(WorkerError::Load(error))) => {
                Err(RunError::Load(masked(*error, &common.secrets), Vec::new()))
            }
            Ok(Err(WorkerError::Runtime(error))) => Err(RunError::Thread(error)),
            Err(_) => Err(RunError::Thread(std::io::Error::other("the run's thread ended while it started"))),
        }
    }
}

/// Starts what a run consists of: who writes samples down, if anybody does, and the worker threads.
async fn driver<W: Workers>(
    info: RunInfo,
    shared: Arc<Shared>,
    resources: Option<Box<dyn ResourceSource>>,
    samples: Vec<Box<dyn SampleSink>>,
    make: impl AsyncFnOnce(&Arc<Shared>, Option<&TapLine>) -> Result<(W, Vec<Arc<Pulse>>), WorkerError>,
) -> Result<(Driver<W>, watch::Receiver<Arc<Snapshot>>), WorkerError> {
    let common = shared.inputs.common.clone();
    let mask = Arc::new(move |text: &str| common.secrets.mask(text));
    let samples =
        SampleWriter::start(samples, mask, shared.messages.clone()).map_err(WorkerError::Runtime)?;
    let (workers, pulses) = make(&shared, samples.as_ref().map(|(_, line)| line)).await?;
    let samples = samples.map(|(writer, line)| (line.tap(workers.count()), writer));
    let watchdog = Watchdog::new(&shared, pulses);
    Ok(Driver::new(info, shared, workers, watchdog, resources, samples))
}
