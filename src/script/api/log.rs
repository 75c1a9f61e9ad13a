//! `print`, `debug` and `log::…`: lines with the virtual user and the iteration they come from.

use std::rc::Rc;

use rhai::{Dynamic, Engine, Module, Position};

use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::message::{Level, Message};
use crate::script::reference::{Owner, Section, calls};

calls! {
    pub(super) GLOBALS: Owner::Global; ("call", "does");

    /// Writes a line to standard error, with VU and iteration.
    fn print(value: any);

    /// As `print`, with file and line.
    fn debug(value: any);
}

pub(super) const SECTION: Section = Section {
    name: "log",
    title: "`log`",
    is_part: false,
    about: "lines on standard error, with VU and iteration",
    intro: "",
    tables: &[CALLS],
    notes: "",
};

calls! {
    CALLS: Owner::Module("log"); ("call", "does");

    /// As `print`, marked with its level. None of them counts as a script error.
    fn info(value: any);
    fn warn(value: any);
    fn error(value: any);
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.on_print(move |text| send(&h, Level::Info, text.to_owned()));
    let h = host.clone();
    engine.on_debug(move |text, source, position: Position| {
        let place = match (source, position.line()) {
            (Some(source), Some(line)) => format!("{source}:{line}: "),
            (None, Some(line)) => format!("line {line}: "),
            _ => String::new(),
        };
        send(&h, Level::Debug, format!("{place}{text}"));
    });
    let mut module = Module::new();
    for (name, level) in [("info", Level::Info), ("warn", Level::Warning), ("error", Level::Error)] {
        let h = host.clone();
        module.set_native_fn(name, move |value: Dynamic| -> ScriptResult<()> {
            send(&h, level, value.to_string());
            Ok(())
        });
    }
    engine.register_static_module("log", module.into());
}

fn send(host: &Rc<Host>, level: Level, text: String) {
    let from = host.current().map(|vu| (vu.id, vu.iteration.get()));
    host.message(Message { level, text, from });
}
