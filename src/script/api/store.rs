//! `store::…`: values, queues, barriers and signals shared by all virtual users of a run.

use std::rc::Rc;
use std::time::Duration;

use rhai::{Dynamic, Engine, ImmutableString, Module, NativeCallContext};

use super::{convert, placed};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};
use crate::script::store::StoreChange;
use crate::script::value::Value;

pub(super) const SECTION: Section = Section {
    name: "store",
    title: "`store`",
    is_part: false,
    about: "shared state of all VUs, barriers and signals",
    intro: "*VU.* State shared by all VUs of the run, across threads; empty when a run starts. Values are \
            plain data: numbers, text, arrays, maps, blobs; all of them together may take 1 GB. In a run on \
            several machines it is shared by all agents, and a change waits for a round trip. \
            [data.md](data.md#the-store) has examples.",
    tables: &[VALUES, MEETINGS],
    notes: "A waiting VU does not block others, and stops with the run. Waiting in `on_stop` or `teardown` is \
            an error.",
};

calls! {
    VALUES: Owner::Module("store"); ("call", "does");

    /// Returns the value; if there is none, `otherwise`, or `()`.
    fn get(name: text) -> any;
    fn get(name: text, otherwise: any) -> any;

    /// Stores a value.
    ///
    /// Errors: the value is not plain data; the store is full.
    fn set(name: text, value: any);

    /// Adds 1, or `by`, to a number that starts at 0; returns the sum.
    ///
    /// Errors: not a number; overflow.
    fn incr(name: text) -> number;
    fn incr(name: text, by: number) -> number;

    /// Appends a value to an array that starts empty; returns its length.
    ///
    /// Errors: not an array; more than 10,000,000 values; the store is full.
    fn push(name: text, value: any) -> int;

    /// Removes and returns the first value of the array, or `()` if it is empty.
    ///
    /// Errors: not an array.
    fn pop(name: text) -> any;
}

calls! {
    MEETINGS: Owner::Module("store"); ("call", "does");

    /// Waits until `count` VUs have arrived; then all continue, and the barrier can be used again. Returns
    /// `false` on timeout.
    ///
    /// Errors: `count` below 1; other VUs wait there with a different `count`.
    ///
    /// ```rhai
    /// store::barrier("all signed in", 10, "30s");
    /// ```
    fn barrier(name: text, count: int) -> bool;
    fn barrier(name: text, count: int, timeout: time) -> bool;

    /// Sends a signal to all VUs that wait for it, now or later.
    fn signal(name: text);

    /// Waits for the signal; returns `false` on timeout.
    fn wait(name: text) -> bool;
    fn wait(name: text, timeout: time) -> bool;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    register_values(&mut module, host);
    register_meetings(&mut module, host);
    engine.register_static_module("store", module.into());
}

fn register_values(module: &mut Module, host: &Rc<Host>) {
    let h = host.clone();
    module.set_native_fn("get", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, get(&h, &name, Dynamic::UNIT))
    });
    let h = host.clone();
    module.set_native_fn(
        "get",
        move |context: NativeCallContext, name: ImmutableString, default: Dynamic| {
            placed(&context, get(&h, &name, default))
        },
    );
    let h = host.clone();
    module.set_native_fn("set", move |context: NativeCallContext, name: ImmutableString, value: Dynamic| {
        placed(&context, set(&h, &name, &value))
    });
    let h = host.clone();
    module.set_native_fn("incr", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, incr(&h, &name, &Dynamic::ONE))
    });
    let h = host.clone();
    module.set_native_fn("incr", move |context: NativeCallContext, name: ImmutableString, by: Dynamic| {
        placed(&context, incr(&h, &name, &by))
    });
    let h = host.clone();
    module.set_native_fn("push", move |context: NativeCallContext, name: ImmutableString, value: Dynamic| {
        placed(&context, push(&h, &name, &value))
    });
    let h = host.clone();
    module.set_native_fn("pop", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, pop(&h, &name))
    });
}

fn register_meetings(module: &mut Module, host: &Rc<Host>) {
    let h = host.clone();
    module.set_native_fn("barrier", move |context: NativeCallContext, name: ImmutableString, size: i64| {
        placed(&context, barrier(&h, &name, size, None))
    });
    let h = host.clone();
    module.set_native_fn(
        "barrier",
        move |context: NativeCallContext, name: ImmutableString, size: i64, timeout: Dynamic| {
            placed(&context, barrier(&h, &name, size, Some(timeout)))
        },
    );
    let h = host.clone();
    module.set_native_fn("signal", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, signal(&h, &name))
    });
    let h = host.clone();
    module.set_native_fn("wait", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, wait(&h, &name, None))
    });
    let h = host.clone();
    module.set_native_fn(
        "wait",
        move |context: NativeCallContext, name: ImmutableString, timeout: Dynamic| {
            placed(&context, wait(&h, &name, Some(timeout)))
        },
    );
}

/// Makes a change: at once, or, when other machines have the store too, in a wait of the virtual user.
///
/// As a request, it is not cut by the user's end but only by the end of what that one is given to finish.
fn change(host: &Rc<Host>, function: &str, change: StoreChange<'_>) -> ScriptResult<Result<Value, String>> {
    // At the top level each thread would change it.
    let vu = host.vu(function)?;
    let store = &host.inputs.common.store;
    if store.has_log() { host.wait(&vu, store.change(change)) } else { Ok(store.apply(change)) }
}

fn get(host: &Rc<Host>, name: &str, default: Dynamic) -> ScriptResult<Dynamic> {
    host.vu("store::get")?;
    Ok(host.inputs.common.store.get(name).map_or(default, |value| value.to_dynamic()))
}

fn set(host: &Rc<Host>, name: &str, value: &Dynamic) -> ScriptResult<()> {
    host.vu("store::set")?;
    let value = plain("store::set", value)?;
    change(host, "store::set", StoreChange::Set { name: name.into(), value })??;
    Ok(())
}

fn incr(host: &Rc<Host>, name: &str, by: &Dynamic) -> ScriptResult<Dynamic> {
    host.vu("store::incr")?;
    let by = plain("store::incr", by)?;
    let sum = change(host, "store::incr", StoreChange::Incr { name: name.into(), by })?;
    Ok(sum.map_err(|why| format!("store::incr: {why}"))?.to_dynamic())
}

fn push(host: &Rc<Host>, name: &str, value: &Dynamic) -> ScriptResult<Dynamic> {
    host.vu("store::push")?;
    let value = plain("store::push", value)?;
    let length = change(host, "store::push", StoreChange::Push { name: name.into(), value })?;
    Ok(length.map_err(|why| format!("store::push: {why}"))?.to_dynamic())
}

fn pop(host: &Rc<Host>, name: &str) -> ScriptResult<Dynamic> {
    let value = change(host, "store::pop", StoreChange::Pop { name: name.into() })?;
    Ok(value.map_err(|why| format!("store::pop: {why}"))?.to_dynamic())
}

fn signal(host: &Rc<Host>, name: &str) -> ScriptResult<()> {
    change(host, "store::signal", StoreChange::Signal { name: name.into() })??;
    Ok(())
}

/// Values cross threads, so only plain data can be kept.
fn plain(function: &str, value: &Dynamic) -> Result<Value, String> {
    Value::from_dynamic(value).map_err(|kind| {
        let kind = kind.rsplit("::").next().unwrap_or_default();
        format!(
            "{function}: a {kind} cannot be stored; the store is shared by all threads, so it holds only \
             plain data: numbers, text, arrays, maps"
        )
    })
}

fn barrier(host: &Rc<Host>, name: &str, size: i64, timeout: Option<Dynamic>) -> ScriptResult<bool> {
    if size < 1 {
        return Err(format!("store::barrier(\"{name}\", {size}): the number must be 1 or more").into());
    }
    let timeout = timeout_of("store::barrier", timeout)?;
    let (inner, name) = (host.clone(), name.to_owned());
    let opened = async move { inner.inputs.common.store.barrier(&name, size.unsigned_abs(), timeout).await };
    meet(host, "store::barrier", opened)
}

fn wait(host: &Rc<Host>, name: &str, timeout: Option<Dynamic>) -> ScriptResult<bool> {
    let timeout = timeout_of("store::wait", timeout)?;
    let (inner, name) = (host.clone(), name.to_owned());
    let given = async move {
        let given = inner.inputs.common.store.wait(&name);
        match timeout {
            Some(timeout) => match tokio::time::timeout(timeout, given).await {
                Ok(given) => given.map(|()| true),
                Err(_) => Ok(false),
            },
            None => given.await.map(|()| true),
        }
    };
    meet(host, "store::wait", given)
}

fn timeout_of(function: &str, timeout: Option<Dynamic>) -> Result<Option<Duration>, String> {
    let what = format!("{function}: the timeout");
    timeout.map(|timeout| convert::duration(&what, &timeout)).transpose()
}

/// Waits for others; whether they came.
fn meet(
    host: &Rc<Host>,
    function: &str,
    meeting: impl Future<Output = Result<bool, String>>,
) -> ScriptResult<bool> {
    Ok(host.wait_for_others(function, meeting)?.map_err(|why| format!("{function}: {why}"))?)
}
