//! `data::…`: files of test data, read while the top level runs, once for all threads.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use super::table::TableRef;
use super::{convert, placed};
use crate::data::{CsvOptions, Form, Loaded};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};

pub(super) const SECTION: Section = Section {
    name: "data",
    title: "`data`",
    is_part: false,
    about: "files of test data",
    intro: "At the top level only. Files are looked for in the folder of the script that is run, then in the folders of \
            `--data`; anything outside of them is refused. Each file is read once a run. [data.md](data.md) explains how.",
    tables: &[CALLS, CSV_KEYS],
    notes: r##"
Errors of all of them: the file is not there, or may not be read; it is no UTF-8 (but for `data::bytes`), with line and
byte; a table is larger than 2 GB.

```rhai
const USERS = data::csv("data/users.csv");

fn on_start()  { this.user = USERS.lease(); }
fn iteration() { http::post("/login", #{ json: #{ user: this.user.user } }); }
```"##,
};

calls! {
    CALLS: Owner::Module("data"); ("call", "gives");

    /// A [table](#a-table) of maps, column → text; without header and columns of arrays.
    ///
    /// Errors: rows of another length, with the line; a quote that is never closed; two columns of one name.
    fn csv(path: text) -> Table;
    fn csv(path: text, settings: map) -> Table;

    /// A table if the file holds an array, else its value.
    ///
    /// Errors: not JSON, with line and column.
    fn json(path: text) -> any;

    /// A table of text; empty lines are left out.
    fn lines(path: text) -> Table;

    /// The whole file as text.
    ///
    /// Errors: larger than 256 MB.
    fn text(path: text) -> text;

    /// The whole file as a blob.
    ///
    /// Errors: larger than 16 MB.
    fn bytes(path: text) -> blob;
}

keys! {
    pub(super) CSV_KEYS: "data::csv";

    /// What stands between two cells; `","` if left out.
    delimiter: "one ASCII character";
    /// Whether the first line names the columns; true if left out.
    header: "true or false";
    /// With a header: the columns that are kept; without: their names. All if left out.
    columns: "array of texts";
    /// Whether rows may be shorter (what is missing is `""`) or longer (what is too much is left out); false if left
    /// out.
    ragged: "true or false";
}

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
        return Err(super::facts::reads(function).into());
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
        CSV_KEYS.check("data::csv", key)?;
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
            _ => return Err(CSV_KEYS.unknown("data::csv", key)),
        }
    }
    Ok(options)
}
