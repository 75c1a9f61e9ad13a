//! Extensions: functions that an embedding program adds to the script API.
//!
//! An [`Extension`] is applied to the engine of each worker thread. Asynchronous functions suspend the virtual
//! user, not the thread, and can record samples.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, Engine, FuncRegistration};

use super::sample::{METHOD, Operation};
use crate::metrics::{ErrorKind, Failure};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::vu_context::VuContext;

/// Maximum number of arguments of an asynchronous function.
const MOST_ARGUMENTS: usize = 4;

type AsyncFunction =
    dyn Fn(AsyncCall) -> Pin<Box<dyn Future<Output = Result<Dynamic, String>>>> + Send + Sync;

/// Something an embedding program adds to every engine.
#[derive(Clone)]
pub(crate) enum Extension {
    /// Configures the engine directly: plain functions, types, modules.
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
    /// The arguments that the script passed, in order.
    pub args: Vec<Dynamic>,
    vu: Rc<VuContext>,
    host: Rc<Host>,
    name: String,
}

impl AsyncCall {
    /// Number of the calling virtual user.
    pub fn vu_id(&self) -> u64 {
        self.vu.id
    }

    /// Number of the calling iteration.
    pub fn iteration(&self) -> u64 {
        self.vu.iteration.get()
    }

    /// Records what the function measured.
    pub fn record(&self, sample: Sample) {
        let name = sample.name.as_deref().unwrap_or(&self.name);
        let operation = Operation {
            method: &sample.method,
            name,
            duration: sample.duration,
            bytes_sent: sample.bytes_sent,
            bytes_received: sample.bytes_received,
            tags: &sample.tags,
            failure: sample.failure,
        };
        operation.count(&self.host, &self.vu);
    }
}

/// One measured operation of an asynchronous function, such as a query, a message or a call; see
/// [`AsyncCall::record`].
#[derive(Clone, Debug)]
pub struct Sample {
    duration: Duration,
    method: String,
    name: Option<String>,
    bytes_sent: u64,
    bytes_received: u64,
    tags: Vec<(String, String)>,
    failure: Option<Failure>,
}

impl Sample {
    /// A success with this duration, the method `CALL` and the name of the function.
    pub fn new(duration: Duration) -> Sample {
        Sample {
            duration,
            method: METHOD.to_owned(),
            name: None,
            bytes_sent: 0,
            bytes_received: 0,
            tags: Vec::new(),
            failure: None,
        }
    }

    /// The operation, as one word such as `SELECT`.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Sample {
        self.method = method.into();
        self
    }

    /// The object of the operation. Use few distinct names, because each becomes a row in every output.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Sample {
        self.name = Some(name.into());
        self
    }

    /// Bytes sent and received.
    #[must_use]
    pub fn bytes(mut self, sent: u64, received: u64) -> Sample {
        (self.bytes_sent, self.bytes_received) = (sent, received);
        self
    }

    /// Also counts it under the tag `key:value`.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Sample {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Marks it as failed, with a reason of one line.
    #[must_use]
    pub fn failed(mut self, kind: ErrorKind, message: impl Into<String>) -> Sample {
        self.failure = Some(Failure { kind, message: message.into() });
        self
    }
}

impl Extension {
    /// Adds this extension to an engine.
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
