//! `data::…`: files of test data, read while the top level runs, once for all threads.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use super::table::TableRef;
use super::{convert, placed};
use crate::data::{CsvOptions, Form, Loaded};
use crate::script::host::{Host, ScriptResult};

const CSV_KEYS: &[&str] = &["delimiter", "header", "columns", "ragged"];

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("csv", move |context: NativeCallContext, path: ImmutableString| {
        placed(&context, load(&h, "data::csv", &path, Form::Csv(CsvOptions::default())))
    });
    let h = host.clone();
    module.set_native_fn("csv", move |context: NativeCallContext, path: ImmutableString, options: Map| {
        let options = csv_options(&options).map_err(Into::into);
        placed(&context, options.and_then(|options| load(&h, "data::csv", &path, Form::Csv(options))))
    });
    for (name, form) in
        [("json", Form::Json), ("lines", Form::Lines), ("text", Form::Text), ("bytes", Form::Bytes)]
    {
        let h = host.clone();
        module.set_native_fn(name, move |context: NativeCallContext, path: ImmutableString| {
            placed(&context, load(&h, &format!("data::{name}"), &path, form.clone()))
        });
    }
    engine.register_static_module("data", module.into());
}

fn load(host: &Rc<Host>, function: &str, path: &str, form: Form) -> ScriptResult<Dynamic> {
    if host.declarations.borrow().is_none() {
        return Err(format!(
            "{function} reads a file: call it at the top level of the script, not in a function, and keep what \
             it returns in a variable or const"
        )
        .into());
    }
    let loaded =
        host.inputs.common.data.load(path, form).map_err(|problem| format!("{function}: {problem}"))?;
    Ok(match loaded {
        Loaded::Table(table) => Dynamic::from(TableRef::new(table, host.clone())),
        Loaded::Json(text) => {
            serde_json::from_str(&text).map_err(|error| format!("{function}: '{path}': {error}"))?
        }
        Loaded::Text(text) => Dynamic::from(text.to_string()),
        Loaded::Bytes(bytes) => Dynamic::from_blob(bytes.to_vec()),
    })
}

fn csv_options(map: &Map) -> Result<CsvOptions, String> {
    let mut options = CsvOptions::default();
    for (key, value) in map {
        let what = format!("data::csv: {key}");
        match key.as_str() {
            "delimiter" => {
                let text = convert::plain(&what, value)?;
                options.delimiter = match text.as_bytes() {
                    [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => *byte,
                    _ => {
                        return Err(format!(
                            "{what} is {text:?}; it must be one character such as \";\" or \"\\t\""
                        ));
                    }
                };
            }
            "header" => options.header = convert::boolean(&what, value)?,
            "columns" => {
                let columns = convert::array(&what, value)?;
                let names: Vec<String> =
                    columns.iter().map(|name| convert::text(&what, name)).collect::<Result<_, _>>()?;
                if let Some((_, twice)) =
                    names.iter().enumerate().find(|(index, name)| names[..*index].contains(name))
                {
                    return Err(format!("{what} names '{twice}' twice"));
                }
                options.columns = Some(names);
            }
            "ragged" => options.ragged = convert::boolean(&what, value)?,
            _ => return Err(convert::unknown_key("data::csv", key, CSV_KEYS)),
        }
    }
    Ok(options)
}
