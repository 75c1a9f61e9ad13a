//! `param`: a parameter of the script and its value.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use super::convert;
use crate::script::declare::Param;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};

pub(super) const SECTION: Section = Section {
    name: "param",
    title: "`param`",
    is_part: false,
    about: "script parameters, set with `--param`",
    intro: "At the top level only.",
    tables: &[CALL, KEYS],
    notes: r##"
```rhai
const PAGE = param("page", 1, #{ help: "page of the insights" });
const STAGE = param("stage", "dev", #{ choices: ["dev", "prod"] });

fn iteration() { http::get("/quality/insights", #{ query: #{ page: PAGE }, tags: #{ stage: STAGE } }); }
```"##,
};

calls! {
    CALL: Owner::Global; ("call", "does");

    /// Declares a parameter and returns its value: that of `--param name=value`, or of the environment variable
    /// `RHAID_PARAM_NAME`, or the default. Without a default, or with the default `()`, it is required. `rhaid
    /// run SCRIPT --help` lists the parameters.
    ///
    /// Errors: a required parameter has no value; the value is not one of the choices or has the wrong type; the
    /// parameter is declared twice.
    fn param(name: text) -> any;
    fn param(name: text, settings: map) -> any;
    fn param(name: text, default_value: any) -> any;
    fn param(name: text, default_value: any, settings: map) -> any;
}

keys! {
    pub(super) KEYS: "param";

    /// Description in the list of parameters.
    help: "text";
    /// Allowed values.
    choices: "array of plain values";
    /// If true, the value is split at commas into an array.
    multiple: "true or false";
    /// If true, the value is masked like a [secret](#secret) and not shown in the help.
    secret: "true or false";
    /// Type of the value; default: the type of the default value.
    type: "`\"text\"`, `\"int\"`, `\"float\"` or `\"bool\"`";
}

const TYPES: &[&str] = &["text", "int", "float", "bool"];

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.register_fn("param", move |name: ImmutableString| param(&h, &name, None, &Map::new()));
    let h = host.clone();
    engine.register_fn("param", move |name: ImmutableString, default: Dynamic| -> ScriptResult<Dynamic> {
        // No parameter has a map for its value.
        if let Some(settings) = default.read_lock::<Map>() {
            return param(&h, &name, None, &settings);
        }
        param(&h, &name, (!default.is_unit()).then_some(default), &Map::new())
    });
    let h = host.clone();
    engine.register_fn(
        "param",
        move |name: ImmutableString, default: Dynamic, settings: Map| -> ScriptResult<Dynamic> {
            let default = (!default.is_unit()).then_some(default);
            param(&h, &name, default, &settings)
        },
    );
}

/// What a parameter is, from its settings.
struct Settings {
    help: String,
    choices: Vec<String>,
    multiple: bool,
    secret: bool,
    kind: String,
}

fn param(host: &Rc<Host>, name: &str, default: Option<Dynamic>, settings: &Map) -> ScriptResult<Dynamic> {
    let settings = read(name, default.as_ref(), settings)?;
    let given = given(host, name)?;
    if let (true, Some(given)) = (settings.secret, &given) {
        // Before it is parsed: an error would show it.
        host.inputs.common.secrets.add(given)?;
    }
    let value = match (&given, &default) {
        (Some(text), _) => Some(parse(name, text, &settings)?),
        (None, Some(default)) => Some(default.clone()),
        (None, None) => None,
    };
    if settings.secret {
        for value in [&value, &default].into_iter().flatten() {
            mask(host, value)?;
        }
    }
    let shown = |value: &Dynamic| value.to_string();
    host.declare("param", |declarations| {
        if declarations.params.iter().any(|known| known.name == name) {
            return Err(format!("the parameter '{name}' is declared twice"));
        }
        declarations.params.push(Param {
            name: name.to_owned(),
            value: given.clone().or_else(|| value.as_ref().map(shown)),
            default: default.as_ref().map(shown),
            help: settings.help,
            choices: settings.choices,
            secret: settings.secret,
        });
        Ok(())
    })?;
    match value {
        Some(value) => Ok(value),
        // A run cannot start without it, but the parameters can still be listed.
        None if host.inputs.listing => {
            host.inputs.common.incomplete.store(true, Ordering::Relaxed);
            Ok(Dynamic::UNIT)
        }
        None => Err(format!(
            "the parameter '{name}' has no value and no default; set it with --param {name}=VALUE or {}",
            variable(name)
        )
        .into()),
    }
}

fn read(name: &str, default: Option<&Dynamic>, settings: &Map) -> Result<Settings, String> {
    let of = format!("param '{name}'");
    let mut read = Settings {
        help: String::new(),
        choices: Vec::new(),
        multiple: default.is_some_and(Dynamic::is_array),
        secret: false,
        kind: match default {
            Some(value) if value.is_int() => "int",
            Some(value) if value.is_float() => "float",
            Some(value) if value.is_bool() => "bool",
            _ => "text",
        }
        .to_owned(),
    };
    for (key, value) in settings {
        KEYS.check(&of, key)?;
        let what = format!("{of}: {key}");
        match key.as_str() {
            "help" => read.help = convert::text(&what, value)?,
            "choices" => {
                let choices = convert::array(&what, value)?;
                read.choices = choices.iter().map(|c| convert::plain(&what, c)).collect::<Result<_, _>>()?;
            }
            "multiple" => read.multiple = convert::boolean(&what, value)?,
            "secret" => read.secret = convert::boolean(&what, value)?,
            "type" => {
                read.kind = convert::text(&what, value)?;
                if !TYPES.contains(&read.kind.as_str()) {
                    return Err(format!(
                        "{what} is \"{}\"; it must be one of {}",
                        read.kind,
                        TYPES.join(", ")
                    ));
                }
            }
            _ => return Err(KEYS.unknown(&of, key)),
        }
    }
    Ok(read)
}

/// Masks a value; of several, each.
fn mask(host: &Rc<Host>, value: &Dynamic) -> Result<(), String> {
    match value.read_lock::<Array>() {
        Some(values) => values.iter().try_for_each(|value| mask(host, value)),
        None => host.inputs.common.secrets.add(&value.to_string()),
    }
}

/// `--param name=value`, else `RHAID_PARAM_NAME`.
fn given(host: &Rc<Host>, name: &str) -> Result<Option<String>, String> {
    match host.inputs.params.get(name) {
        Some(given) => Ok(Some(given.clone())),
        None => host.inputs.common.environment.get(&variable(name), true),
    }
}

fn variable(name: &str) -> String {
    format!("RHAID_PARAM_{}", name.to_uppercase().replace('-', "_"))
}

fn parse(name: &str, text: &str, settings: &Settings) -> Result<Dynamic, String> {
    if settings.multiple {
        let parts = text.split(',').map(|part| parse_one(name, part.trim(), settings));
        return parts.collect::<Result<Array, _>>().map(Dynamic::from_array);
    }
    parse_one(name, text, settings)
}

fn parse_one(name: &str, text: &str, settings: &Settings) -> Result<Dynamic, String> {
    let shown = if settings.secret { "***" } else { text };
    if !settings.choices.is_empty() && !settings.choices.iter().any(|choice| choice == text) {
        let choices = settings.choices.join(", ");
        return Err(format!("the parameter '{name}' is \"{shown}\"; it must be one of {choices}"));
    }
    let wrong = |wanted: &str| format!("the parameter '{name}' is \"{shown}\"; it must be {wanted}");
    match settings.kind.as_str() {
        "int" => text.parse::<i64>().map(Dynamic::from).map_err(|_| wrong("a whole number")),
        "float" => text.parse::<f64>().map(Dynamic::from).map_err(|_| wrong("a number")),
        "bool" => text.parse::<bool>().map(Dynamic::from).map_err(|_| wrong("true or false")),
        _ => Ok(text.to_owned().into()),
    }
}
