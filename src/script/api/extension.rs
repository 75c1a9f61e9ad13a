//! Functions from outside: what an embedding program adds to the script API.
//!
//! An [`Extension`] is applied to the engine of each worker thread. Asynchronous functions suspend the
//! virtual user, not the thread, and can record samples of their own.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, Engine, FuncRegistration};

use crate::metrics::{Failure, Phases, RequestSample};
use crate::script::host::{Host, ScriptResult};
use crate::script::vu_context::VuContext;

/// Most arguments an asynchronous function can take.
const MOST_ARGUMENTS: usize = 4;

type AsyncFunction =
    dyn Fn(AsyncCall) -> Pin<Box<dyn Future<Output = Result<Dynamic, String>>>> + Send + Sync;

/// Something an embedding program adds to every engine.
#[derive(Clone)]
pub(crate) enum Extension {
    /// Whatever the program does with the engine: plain functions, types, modules.
    Engine(Arc<dyn Fn(&mut Engine) + Send + Sync>),
    /// A function that waits without blocking the thread.
    Async {
        /// Its name in scripts.
        name: String,
        /// What it does.
        function: Arc<AsyncFunction>,
    },
}

/// One call of an asynchronous function by a script.
pub struct AsyncCall {
    /// What the script passed, in order.
    pub args: Vec<Dynamic>,
    vu: Rc<VuContext>,
    host: Rc<Host>,
    name: String,
}

impl AsyncCall {
    /// Number of the virtual user that calls.
    pub fn vu_id(&self) -> u64 {
        self.vu.id
    }

    /// Number of the iteration that calls.
    pub fn iteration(&self) -> u64 {
        self.vu.iteration.get()
    }

    /// Records a sample under the function's name, as if it were a request of this `duration`:
    /// a success, or a failure with a one-line reason.
    pub fn record(&self, duration: Duration, outcome: Result<(), String>) {
        if !self.vu.records {
            return;
        }
        let mut recorder = self.host.recorder.borrow_mut();
        let sample = RequestSample {
            series: recorder.series(&self.vu.scenario, "CALL", &self.name),
            tags: self.vu.tags.ids.clone(),
            // No protocol, no status: a success must not look like a missing response.
            status: if outcome.is_ok() { 200 } else { 0 },
            service: duration,
            response: duration + self.vu.lag.get(),
            phases: Phases { waiting: duration, ..Phases::default() },
            bytes_sent: 0,
            bytes_received: 0,
            failure: outcome.err().map(|message| Box::new(Failure { kind: "call", message })),
        };
        recorder.request(&sample);
    }
}

impl Extension {
    /// Adds this to an engine.
    pub(crate) fn apply(&self, engine: &mut Engine, host: &Rc<Host>) {
        match self {
            Extension::Engine(extend) => extend(engine),
            Extension::Async { name, function } => {
                for count in 0..=MOST_ARGUMENTS {
                    register_async(engine, host, name, function, count);
                }
            }
        }
    }
}

fn register_async(
    engine: &mut Engine,
    host: &Rc<Host>,
    name: &str,
    function: &Arc<AsyncFunction>,
    arguments: usize,
) {
    let (host, name, function) = (host.clone(), name.to_owned(), function.clone());
    let call = {
        let name = name.clone();
        move |args: Vec<Dynamic>| -> ScriptResult<Dynamic> {
            let vu = host.vu(&name)?;
            let call = AsyncCall { args, vu: vu.clone(), host: host.clone(), name: name.clone() };
            Ok(host.wait(&vu, function(call))??)
        }
    };
    // Rhai finds functions by the number of their parameters, so each number is registered.
    let registration = FuncRegistration::new(name);
    match arguments {
        0 => registration.register_into_engine(engine, move || call(vec![])),
        1 => registration.register_into_engine(engine, move |a: Dynamic| call(vec![a])),
        2 => registration.register_into_engine(engine, move |a: Dynamic, b: Dynamic| call(vec![a, b])),
        3 => registration
            .register_into_engine(engine, move |a: Dynamic, b: Dynamic, c: Dynamic| call(vec![a, b, c])),
        _ => registration
            .register_into_engine(engine, move |a: Dynamic, b: Dynamic, c: Dynamic, d: Dynamic| {
                call(vec![a, b, c, d])
            }),
    };
}
