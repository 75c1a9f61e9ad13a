//! Samples resources once a second during a run, on a thread of its own.
//!
//! Owns the thread and its clock. Invariants: what was sampled and not taken is bounded; the thread ends with
//! the monitor.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::remote::{RemoteMonitor, RemoteSample, RemoteTarget};
use super::sampler::Sampler;
use super::target::TargetProcess;
use crate::metrics::{ResourceBatch, ResourceInfo, ResourceSample, ResourceSource};

/// Time between samples.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many samples wait to be taken at most; a driver that is that late has other worries.
const MOST_WAITING: usize = 600;

/// A [`ResourceSource`] for this machine, this process and, if given, the target.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use rhaid::resources::{Monitor, Sampler, TargetProcess};
///
/// let monitor = Monitor::new(Sampler::new().with_target(TargetProcess::Port(8000))?);
/// let test = rhaid::LoadTest::from_file("scripts/quickstart.rhai")?.resources(monitor);
/// # Ok(())
/// # }
/// ```
pub struct Monitor {
    /// Until the run begins.
    sampler: Option<Sampler>,
    /// Until the run begins, like the sampler.
    remote: Option<RemoteMonitor>,
    /// To be looked for when the run begins.
    target: Option<TargetProcess>,
    waiting: Arc<Mutex<ResourceBatch>>,
    /// Dropped to end the thread.
    running: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Monitor {
    /// A monitor that samples with `sampler`.
    pub fn new(sampler: Sampler) -> Monitor {
        let info = Some(Arc::new(sampler.info()));
        let batch = ResourceBatch { info, ..ResourceBatch::default() };
        Monitor {
            sampler: Some(sampler),
            remote: None,
            target: None,
            waiting: Arc::new(Mutex::new(batch)),
            running: None,
        }
    }

    /// Also monitors the target process and its children, if it is found when the run begins. Looking through all
    /// processes of the machine keeps the run from its start no longer.
    #[must_use]
    pub fn with_target_if_found(mut self, target: TargetProcess) -> Monitor {
        self.target = Some(target);
        self
    }

    /// Takes target and machine from a monitor on the target's machine (`rhaid monitor --serve`).
    ///
    /// # Errors
    /// If it does not respond: better before the run than after it.
    pub fn with_remote(mut self, remote: RemoteTarget) -> Result<Monitor, String> {
        let mut remote = RemoteMonitor::new(&remote)?;
        if let Some(first) = remote.fetch()? {
            let known = lock(&self.waiting).info.take();
            let known = known.as_deref().cloned().unwrap_or_default();
            lock(&self.waiting).info = Some(Arc::new(with_remote_info(known, &first)));
        }
        self.remote = Some(remote);
        Ok(self)
    }
}

impl ResourceSource for Monitor {
    fn begin(&mut self, start: Instant) {
        let Some(mut sampler) = self.sampler.take() else { return };
        let (waiting, mut remote, target) = (self.waiting.clone(), self.remote.take(), self.target.take());
        let (sender, stop) = mpsc::channel();
        let sample = move || {
            if target.is_some_and(|target| sampler.watch(target).is_ok()) {
                lock(&waiting).info = Some(Arc::new(sampler.info()));
            }
            sampler.restart();
            let mut remote_fails = false;
            let mut next = start + INTERVAL;
            // Ends when the monitor is dropped.
            while stop.recv_timeout(next.saturating_duration_since(Instant::now()))
                == Err(mpsc::RecvTimeoutError::Timeout)
            {
                let mut events = Vec::new();
                let mut sample = sampler.sample(start.elapsed());
                if let Some(remote) = &mut remote {
                    let fetched = remote.fetch();
                    if fetched.is_err() != remote_fails {
                        remote_fails = fetched.is_err();
                        events.push(match &fetched {
                            Ok(_) => "the target's monitor is responding again".to_owned(),
                            Err(error) => error.clone(),
                        });
                    }
                    take_remote(&mut sample, fetched.ok().flatten());
                }
                events.extend(sampler.take_events());
                add(&waiting, sample, events);
                // On the grid of the start: a sample that was late does not make the next one late.
                while next <= Instant::now() {
                    next += INTERVAL;
                }
            }
        };
        match std::thread::Builder::new().name("rhaid-resources".to_owned()).spawn(sample) {
            Ok(thread) => self.running = Some((sender, thread)),
            Err(error) => lock(&self.waiting).events.push((
                Duration::ZERO,
                format!("resources are not monitored: cannot start a thread: {error}"),
            )),
        }
    }

    fn take(&mut self) -> ResourceBatch {
        std::mem::take(&mut *lock(&self.waiting))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // It ends at once, or with the answer of the target's monitor, which has a time limit.
            let _ = thread.join();
        }
    }
}

/// What the target's machine says takes the place of what this one does.
fn take_remote(sample: &mut ResourceSample, remote: Option<RemoteSample>) {
    // Without an answer nothing is known; what this machine does would be another thing under the same name.
    let (system, target) = remote.map(|remote| (remote.system, remote.process)).unwrap_or_default();
    sample.system = system;
    sample.target = target;
}

fn with_remote_info(info: ResourceInfo, remote: &RemoteSample) -> ResourceInfo {
    ResourceInfo {
        target: remote.target.clone(),
        target_is_generator: false,
        target_machine: Some(remote.machine.clone()),
        ..info
    }
}

fn add(waiting: &Mutex<ResourceBatch>, sample: ResourceSample, events: Vec<String>) {
    let mut waiting = lock(waiting);
    waiting.events.extend(events.into_iter().map(|event| (sample.at, event)));
    if waiting.samples.len() < MOST_WAITING {
        waiting.samples.push(sample);
    }
}

/// A panic while it was held leaves whole samples behind.
fn lock(waiting: &Mutex<ResourceBatch>) -> std::sync::MutexGuard<'_, ResourceBatch> {
    waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
