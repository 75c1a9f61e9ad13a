//! `store::…`: values, queues, barriers and signals that all virtual users of a run share.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, Module, NativeCallContext};

use super::{convert, placed};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};
use crate::script::store::Store;
use crate::script::value::Value;

pub(super) const SECTION: Section = Section {
    name: "store",
    title: "`store`",
    is_part: false,
    about: "state that all VUs of the run share, barriers and signals",
    intro: "*VU.* State of the run that all VUs share, whatever their thread; empty when a run begins. Values are plain data: \
            numbers, text, arrays, maps, blobs. [data.md](data.md#the-store) has examples.",
    tables: &[VALUES, MEETINGS],
    notes: "Whoever waits holds up nobody else, and is stopped with the run. In `on_stop` and `teardown` nothing is waited \
            for: that is an error.",
};

calls! {
    VALUES: Owner::Module("store"); ("call", "does");

    /// The value; `()` or the other value when there is none.
    fn get(name: text) -> any;
    fn get(name: text, otherwise: any) -> any;

    /// Keeps a value.
    ///
    /// Errors: no plain data.
    fn set(name: text, value: any);

    /// Adds 1, or `by`, to a number that is 0 at first; returns the sum.
    ///
    /// Errors: no number, too large.
    fn incr(name: text) -> number;
    fn incr(name: text, by: number) -> number;

    /// Puts a value at the end of an array that is empty at first; returns its length.
    ///
    /// Errors: no array, 10,000,000 values.
    fn push(name: text, value: any) -> int;

    /// Takes the first value of the array; `()` when there is none.
    ///
    /// Errors: no array.
    fn pop(name: text) -> any;
}

calls! {
    MEETINGS: Owner::Module("store"); ("call", "does");

    /// Waits until `count` VUs are there, then all go on and it can be used again; returns `false` when the time is over
    /// first.
    ///
    /// Errors: `count` below 1; others wait there for another number.
    ///
    /// ```rhai
    /// store::barrier("everybody is signed in", 10, "30s");
    /// ```
    fn barrier(name: text, count: int) -> bool;
    fn barrier(name: text, count: int, timeout: time) -> bool;

    /// Gives a signal, to those who wait and to those who come later.
    fn signal(name: text);

    /// Waits for the signal; returns `false` when the time is over first.
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

/// The store, for a function that runs as a virtual user: at the top level each thread would change it.
fn store<'a>(host: &'a Rc<Host>, function: &str) -> ScriptResult<&'a Store> {
    host.vu(function)?;
    Ok(&host.inputs.common.store)
}

fn get(host: &Rc<Host>, name: &str, default: Dynamic) -> ScriptResult<Dynamic> {
    Ok(store(host, "store::get")?.get(name).map_or(default, |value| value.to_dynamic()))
}

fn set(host: &Rc<Host>, name: &str, value: &Dynamic) -> ScriptResult<()> {
    let store = store(host, "store::set")?;
    Ok(store.set(name, plain("store::set", value)?)?)
}

fn incr(host: &Rc<Host>, name: &str, by: &Dynamic) -> ScriptResult<Dynamic> {
    let store = store(host, "store::incr")?;
    let sum = store.incr(name, &plain("store::incr", by)?).map_err(|why| format!("store::incr: {why}"))?;
    Ok(sum.to_dynamic())
}

fn push(host: &Rc<Host>, name: &str, value: &Dynamic) -> ScriptResult<i64> {
    let store = store(host, "store::push")?;
    let length =
        store.push(name, plain("store::push", value)?).map_err(|why| format!("store::push: {why}"))?;
    Ok(length as i64)
}

fn pop(host: &Rc<Host>, name: &str) -> ScriptResult<Dynamic> {
    let value = store(host, "store::pop")?.pop(name).map_err(|why| format!("store::pop: {why}"))?;
    Ok(value.map_or(Dynamic::UNIT, |value| value.to_dynamic()))
}

fn signal(host: &Rc<Host>, name: &str) -> ScriptResult<()> {
    Ok(store(host, "store::signal")?.signal(name)?)
}

/// Values cross threads, so only plain data can be kept.
fn plain(function: &str, value: &Dynamic) -> Result<Value, String> {
    Value::from_dynamic(value).map_err(|kind| {
        format!(
            "{function}: a {kind} cannot be kept; all threads share the store, so it holds only plain data: \
             numbers, text, arrays, maps"
        )
    })
}

fn barrier(host: &Rc<Host>, name: &str, size: i64, timeout: Option<Dynamic>) -> ScriptResult<bool> {
    if size < 1 {
        return Err(format!("store::barrier(\"{name}\", {size}): the number must be 1 or more").into());
    }
    let (inner, name) = (host.clone(), name.to_owned());
    let opened = async move { inner.inputs.common.store.barrier(&name, size.unsigned_abs()).await };
    meet(host, "store::barrier", opened, timeout)
}

fn wait(host: &Rc<Host>, name: &str, timeout: Option<Dynamic>) -> ScriptResult<bool> {
    let (inner, name) = (host.clone(), name.to_owned());
    let given = async move { inner.inputs.common.store.wait(&name).await };
    meet(host, "store::wait", given, timeout)
}

/// Waits for others, at most as long as the script says; whether they came.
fn meet(
    host: &Rc<Host>,
    function: &str,
    meeting: impl Future<Output = Result<(), String>>,
    timeout: Option<Dynamic>,
) -> ScriptResult<bool> {
    let what = format!("{function}: the timeout");
    let timeout = timeout.map(|timeout| convert::duration(&what, &timeout)).transpose()?;
    let met = async {
        match timeout {
            Some(timeout) => match tokio::time::timeout(timeout, meeting).await {
                Ok(met) => met.map(|()| true),
                Err(_) => Ok(false),
            },
            None => meeting.await.map(|()| true),
        }
    };
    Ok(host.wait_for_others(function, met)?.map_err(|why| format!("{function}: {why}"))?)
}
