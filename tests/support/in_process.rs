//! Running load tests in this process, through the library.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rhaid::metrics::{ScriptErrorCount, Snapshot};
use rhaid::plan::Options;
use rhaid::{Level, LoadTest, Message, Report, RunError};

use super::{PATIENCE, Server};

/// A test with this script: one user, all at once, one thread, a fixed seed, unless script or caller say more.
pub(crate) fn load_test(script: &str) -> LoadTest {
    LoadTest::from_text("test.rhai", script).defaults(Options {
        spawn_rate: Some(100_000.0),
        threads: Some(1),
        seed: Some(1),
        ..Options::default()
    })
}

/// What a test did, and what its script said.
pub(crate) struct Ran {
    pub(crate) report: Report,
    pub(crate) messages: Vec<Message>,
}

impl Ran {
    pub(crate) fn snapshot(&self) -> &Snapshot {
        self.report.snapshot()
    }

    /// What was printed, in the order in which it arrived.
    pub(crate) fn printed(&self) -> Vec<&str> {
        let printed = self.messages.iter().filter(|message| message.level == Level::Info);
        printed.map(|message| message.text.as_str()).collect()
    }

    /// What was printed, in A-Z order: for scripts whose users print in any order.
    pub(crate) fn printed_sorted(&self) -> Vec<&str> {
        let mut printed = self.printed();
        printed.sort_unstable();
        printed
    }

    pub(crate) fn requests(&self) -> u64 {
        self.snapshot().total.requests
    }

    pub(crate) fn failures(&self) -> u64 {
        self.snapshot().total.failures
    }

    /// Script errors as `position: message`, with their counts.
    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        let text = |error: &ScriptErrorCount| format!("{}: {}", error.first.position, error.first.message);
        self.snapshot().script_errors.iter().map(|error| (text(error), error.count)).collect()
    }

    /// The one script error, as `position: message`.
    pub(crate) fn only_error(&self) -> String {
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "one kind of script error: {errors:#?}");
        errors.into_keys().next().unwrap()
    }

    /// Fails the test when the script made an error.
    #[track_caller]
    pub(crate) fn without_errors(self) -> Ran {
        let errors = self.errors();
        assert!(errors.is_empty(), "script errors: {errors:#?}");
        self
    }

    /// How often a check passed and failed.
    pub(crate) fn check(&self, name: &str) -> (u64, u64) {
        let found = self.snapshot().checks.iter().find(|(known, _)| **known == *name);
        found.map_or((0, 0), |(_, count)| (count.passes, count.fails))
    }

    /// Failed requests by kind, status and count.
    pub(crate) fn failure_groups(&self) -> Vec<(&str, u16, u64)> {
        let groups = self.snapshot().failures.iter();
        groups.map(|(key, group)| (key.kind.as_str(), key.status, group.count)).collect()
    }

    /// Requests and failures of an endpoint.
    pub(crate) fn endpoint(&self, name: &str) -> (u64, u64) {
        let found = self.snapshot().endpoints.iter().filter(|endpoint| &*endpoint.name == name);
        found.fold((0, 0), |(requests, failures), e| (requests + e.requests, failures + e.failures))
    }
}

/// Runs a future to its end; fails the test when that takes too long.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("the run hangs") })
}

/// Runs a test to its end, or gives why it cannot be started.
pub(crate) fn try_run(test: LoadTest) -> Result<Ran, RunError> {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let sink = messages.clone();
    let report = block_on(test.on_message(move |message| sink.lock().unwrap().push(message)).run())?;
    let messages = messages.lock().unwrap().clone();
    Ok(Ran { report, messages })
}

/// Runs a test to its end.
#[track_caller]
pub(crate) fn run(test: LoadTest) -> Ran {
    match try_run(test) {
        Ok(ran) => ran,
        Err(error) => panic!("the test does not start: {error}"),
    }
}

/// Runs one iteration of a script against a server.
#[track_caller]
pub(crate) fn once(server: &Server, script: &str) -> Ran {
    run(load_test(script).host(&server.url()).iterations(1))
}
