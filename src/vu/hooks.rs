//! What the script does for the whole run, not for a user: `setup`, `teardown`, `summary`, listeners, its shape.
//!
//! They run in fibers on the worker that is told to, as a user of their own, number 0, whose requests are not
//! counted.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fiber::{Fiber, FiberState};
use super::loading::forget_state;
use super::virtual_user::broken;
use super::worker::Worker;
use crate::metrics::ScriptError;
use crate::plan::Wait;
use crate::script::{CallEnd, Calling, Ending, EventFields, ScriptEvent, SummaryOutput, Value, VuContext};
use crate::text::format_duration;

impl Worker {
    /// Runs `setup`, if the script has one; its value goes to [`Worker::set_data`] of every worker.
    ///
    /// # Errors
    /// What went wrong, in words, ready to be shown.
    pub(crate) async fn setup(&self) -> Result<Value, HookError> {
        let (script, (vu, fiber)) = (self.script(), self.hook_user(Calling::Setup));
        let setup = self.run_hook("setup", vu.clone(), &fiber, move || script.setup(&vu));
        let data = self.in_time("setup", setup).await??;
        self.set_data(&data);
        let listeners = self.fire(ScriptEvent::TestStart, Vec::new());
        match self.in_time("a listener to test_start", listeners).await? {
            Err(HookError::Aborted(reason)) => Err(HookError::Aborted(reason)),
            // A listener that fails is a script error, not a reason to make no load.
            _ => Ok(data),
        }
    }

    /// Gives something that runs before the load its time, and no more.
    async fn in_time<T>(&self, what: &str, running: impl Future<Output = T>) -> Result<T, HookError> {
        let timeout = self.shared.plan.setup_timeout;
        tokio::time::timeout(timeout, running).await.map_err(|_| {
            let after = format_duration(timeout);
            HookError::Failed(format!("{what} was not done after {after} (see setup_timeout)"))
        })
    }

    /// Calls the listeners to an event of the run.
    ///
    /// # Errors
    /// The first error of a listener, which has been counted and shown, or how it ended the run.
    pub(crate) async fn fire(&self, event: ScriptEvent, mut fields: EventFields) -> Result<(), HookError> {
        let script = self.script();
        if !script.listens(event) {
            return Ok(());
        }
        let _turn = self.telling.lock().await;
        fields.push(("elapsed".into(), Value::Float(self.shared.run.elapsed().as_secs_f64())));
        let (vu, fiber) = self.hook_user(Calling::Listener);
        if event == ScriptEvent::TestStop {
            vu.begin_stop_hook();
        }
        let user = vu.clone();
        let fired = self.run_hook("on", vu, &fiber, move || Ok(script.fire(&user, event, &fields))).await?;
        for error in &fired.errors {
            self.host().recorder.borrow_mut().script_error(error);
            self.host().show_error(error);
        }
        match (fired.ending, fired.errors.first()) {
            (Some(Ending::Abort(reason)), _) => Err(HookError::Aborted(self.secrets().masked(reason))),
            (_, Some(error)) => Err(HookError::Failed(self.secrets().masked(shown(error)))),
            (_, None) => Ok(()),
        }
    }

    /// The same while the load runs, when nobody waits for the end.
    pub(crate) async fn announce(&self, event: ScriptEvent, fields: EventFields) {
        if let Err(HookError::Aborted(reason)) = self.fire(event, fields).await {
            self.abort(&reason);
        }
    }

    /// Asks the script's shape function what the load is to be; `read` makes sense of its value. An error has been counted and shown.
    ///
    /// # Errors
    /// What went wrong, in words, or how the function ended the run.
    pub(crate) async fn ask_shape<A>(
        &self,
        function: &str,
        elapsed: f64,
        read: impl FnOnce(&Value) -> Result<A, String>,
    ) -> Result<A, HookError> {
        let (script, (vu, fiber)) = (self.script(), self.hook_user(Calling::Shape));
        let (user, name) = (vu.clone(), function.to_owned());
        let asked = move || Ok(script.shape(&user, &name, elapsed));
        let error = match self.run_hook(function, vu.clone(), &fiber, asked).await? {
            Ok(value) => match read(&value) {
                Ok(answer) => return Ok(answer),
                Err(problem) => ScriptError {
                    message: format!("the shape '{function}' makes no sense: {problem}"),
                    ..self.script().place_of(function, &vu)
                },
            },
            Err(CallEnd::Error(error)) => error,
            Err(CallEnd::Ended(Ending::VuStop)) => self.stopped_nobody(function, &vu),
            Err(CallEnd::Ended(Ending::Abort(reason))) => {
                return Err(HookError::Aborted(self.secrets().masked(reason)));
            }
            Err(CallEnd::Ended(_)) => return Err(HookError::Failed("it was stopped".into())),
        };
        self.host().recorder.borrow_mut().script_error(&error);
        self.host().show_error(&error);
        Err(HookError::Failed(self.secrets().masked(shown(&error))))
    }

    /// What `vu::data()` gives.
    pub(crate) fn set_data(&self, data: &Value) {
        self.host().set_data(data);
        self.data.replace(data.clone());
    }

    /// Runs `teardown`, if the script has one.
    ///
    /// # Errors
    /// What went wrong, in words, ready to be shown.
    pub(crate) async fn teardown(&self) -> Result<(), HookError> {
        // The figures are closed by now, so an error of a listener is told as one of `teardown` is.
        let told = self.fire(ScriptEvent::TestStop, Vec::new()).await;
        let (script, (vu, fiber)) = (self.script(), self.hook_user(Calling::Teardown));
        vu.begin_stop_hook();
        let data = self.data.borrow().clone();
        let result = self.run_hook("teardown", vu.clone(), &fiber, move || script.teardown(&vu, &data)).await;
        result.and(told)
    }

    /// Calls `summary`, if the script has one, with the final figures; gives what it wants to be written.
    ///
    /// # Errors
    /// What went wrong, in words, ready to be shown.
    pub(crate) async fn summary(
        &self,
        data: Arc<serde_json::Value>,
    ) -> Result<Vec<SummaryOutput>, HookError> {
        let (script, (vu, fiber)) = (self.script(), self.hook_user(Calling::Summary));
        vu.begin_stop_hook();
        let mut outputs =
            self.run_hook("summary", vu.clone(), &fiber, move || script.summary(&vu, &data)).await?;
        for text in outputs.iter_mut().flat_map(|output| [&mut output.place, &mut output.text]) {
            if let Some(masked) = self.secrets().mask_declared(text) {
                *text = masked;
            }
        }
        Ok(outputs)
    }

    fn hook_user(&self, calling: Calling) -> (Rc<VuContext>, Rc<FiberState>) {
        let fiber = FiberState::new();
        let vu = self.context(0, 0, None, &Wait::None, &fiber);
        vu.calling.set(calling);
        (vu, fiber)
    }

    /// `vu::stop()` in a function that no user calls.
    fn stopped_nobody(&self, function: &str, vu: &VuContext) -> ScriptError {
        ScriptError {
            message: "vu::stop() ends a virtual user, and none calls this function; end the run with \
                      abort(\"why\"), or the load of a shape by returning ()"
                .to_owned(),
            ..self.script().place_of(function, vu)
        }
    }

    async fn run_hook<T: 'static>(
        &self,
        function: &str,
        vu: Rc<VuContext>,
        state: &Rc<FiberState>,
        call: impl FnOnce() -> Result<T, CallEnd> + 'static,
    ) -> Result<T, HookError> {
        let fiber = Fiber::new(self.stacks(), self.host(), &vu, state, call);
        let result = match fiber {
            Ok(fiber) => fiber.await,
            Err(error) => Err(error),
        };
        vu.settle(&mut self.host().recorder.borrow_mut());
        vu.end_leases();
        forget_state(&vu);
        let secrets = self.secrets();
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(CallEnd::Error(error))) => Err(HookError::Failed(secrets.masked(shown(&error)))),
            Ok(Err(CallEnd::Ended(Ending::Abort(reason)))) => Err(HookError::Aborted(secrets.masked(reason))),
            Ok(Err(CallEnd::Ended(Ending::VuStop))) => {
                Err(HookError::Failed(secrets.masked(shown(&self.stopped_nobody(function, &vu)))))
            }
            Ok(Err(CallEnd::Ended(_))) => Err(HookError::Failed("it was stopped".into())),
            Err(error) => {
                let error = broken(error, self.script().main_file());
                Err(HookError::Failed(secrets.masked(shown(&error))))
            }
        }
    }
}

/// Why `setup` or `teardown` did not succeed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum HookError {
    /// An error, in words.
    Failed(String),
    /// The script called `abort` with this reason.
    Aborted(String),
}

pub(super) fn shown(error: &ScriptError) -> String {
    format!("{}: {}\n{}", error.position, error.message, error.trace)
}
