//! `data::…`: test data files, read while the top level runs, once for all threads.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use super::multipart::File;
use super::table::TableRef;
use super::{convert, placed};
use crate::data::{CsvOptions, Form, Loaded};
use crate::script::call_site::CallSite;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};

pub(super) const SECTION: Section = Section {
    name: "data",
    title: "`data`",
    is_part: false,
    about: "test data files",
    intro: "At the top level only. Files are looked up in the folder of the main script, then in the folders \
            of `--data`; anything outside these is refused. Each file is read once per run. See \
            [data.md](data.md).",
    tables: &[CALLS, CSV_KEYS],
    notes: r##"
Errors of all of them: the file does not exist or cannot be read; it is not UTF-8 (except for `data::bytes` and `data::file`), with
line and byte; a table is larger than 2 GB.

```rhai
const USERS = data::csv("data/users.csv");

fn on_start()  { this.user = USERS.lease(); }
fn iteration() { http::post("/login", #{ json: #{ user: this.user.user } }); }
```"##,
};

calls! {
    CALLS: Owner::Module("data"); ("call", "gives");

    /// A [table](#a-table) of maps from column to text; with neither header nor `columns`, of arrays.
    ///
    /// Errors: a row of a different length, with its line; an unclosed quote; two columns with the same name.
    fn csv(path: text) -> Table;
    fn csv(path: text, settings: map) -> Table;

    /// A table if the file contains an array, otherwise its value.
    ///
    /// Errors: not JSON, with line and column.
    fn json(path: text) -> any;

    /// A table of lines; empty lines are skipped.
    fn lines(path: text) -> Table;

    /// The whole file as text.
    ///
    /// Errors: larger than 256 MB.
    fn text(path: text) -> text;

    /// The whole file as a blob.
    ///
    /// Errors: larger than 16 MB.
    fn bytes(path: text) -> blob;

    /// A [file](#http) of any size, for `body`, `multipart` and `files`. It is opened, and read only while it is sent.
    ///
    /// Errors: not a regular file.
    ///
    /// ```rhai
    /// const BACKUP = data::file("backup.tar");
    ///
    /// fn iteration() { http::put("/backup.tar", #{ body: BACKUP }); }
    /// ```
    fn file(path: text) -> File;
}

keys! {
    pub(super) CSV_KEYS: "data::csv";

    /// Separator between cells; default `","`.
    delimiter: "one ASCII character";
    /// Whether the first line holds the column names; default true.
    header: "true or false";
    /// With a header: the columns to keep; without: the column names. Default: all.
    columns: "array of texts";
    /// Whether rows may be shorter (missing cells are `""`) or longer (extra cells are ignored); default false.
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
    for (name, form) in [
        ("json", Form::Json),
        ("lines", Form::Lines),
        ("text", Form::Text),
        ("bytes", Form::Bytes),
        ("file", Form::File),
    ] {
        let h = host.clone();
        module.set_native_fn(name, move |context: NativeCallContext, path: ImmutableString| {
            placed(&context, load(&h, &format!("data::{name}"), &path, form.clone()))
        });
    }
    engine.register_static_module("data", module.into());
}

fn load(host: &Rc<Host>, function: &str, path: &str, form: Form) -> ScriptResult<Dynamic> {
    if host.declarations.borrow().is_none() {
        return Err(CallSite::Reads.refusal(function).into());
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
        Loaded::File(file) => Dynamic::from(File::on_disk(file)),
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
