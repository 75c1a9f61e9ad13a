//! Script errors as their author sees them: position, message, source line with caret, call chain.
//!
//! Owns the wording. Invariant: the same mistake always gives the same message and position, so that errors can
//! be grouped by them.

use std::any::TypeId;
use std::fmt::Write as _;

use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, GlobalRuntimeState, ImmutableString, Map,
    ParseErrorType, Position,
};

use super::ending::Ending;
use super::habits;
use super::place::Place;
use super::source::Sources;
use crate::metrics::ScriptError;
use crate::text::{did_you_mean, nearest};

/// Most frames of a call chain that are shown.
const MOST_FRAMES: usize = 12;

/// Most forms of a function that are listed.
const MOST_FORMS: usize = 4;

/// What a script may not write to.
pub(super) const READ_ONLY: &str = "constants are read-only, and so are top-level variables inside functions (keep a \
                                    virtual user's state in `this`, or change a copy: let x = …)";

/// What a script gets when native code runs out of stack over one of its values.
pub(crate) const VALUE_TOO_DEEP: &str = "a value or an expression is nested too deeply, some thousand levels; a value may be put into itself again and \
     again, as in `this.last = #{ prev: this.last }`";

/// How a call of a script function ended, if not with a value.
pub(crate) enum CallEnd {
    /// It was ended from outside, or ended itself.
    Ended(Ending),
    /// It made a mistake.
    Error(ScriptError),
}

/// What is needed to explain an error.
pub(crate) struct Explainer<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) sources: &'a Sources,
    /// The state in which functions of the main script start.
    pub(crate) global: &'a GlobalRuntimeState,
    /// Functions of the main script.
    pub(crate) functions: &'a [(String, usize)],
    /// Virtual user and iteration.
    pub(crate) vu: Option<(u64, u64)>,
    /// Where the function that the engine called begins: the place of errors that Rhai gives none.
    pub(crate) entered: Position,
}

/// Where a call stands.
struct Frame {
    file: String,
    position: Position,
    function: String,
}

impl Explainer<'_> {
    /// Turns an error of Rhai into what people read, or into the ending it stands for.
    pub(crate) fn explain(&self, error: Box<EvalAltResult>) -> CallEnd {
        let (frames, file, mut innermost) = self.unwind(error);
        let mut position = innermost.position();
        if position.is_none() {
            // Errors of host functions stand at their call.
            position = frames.last().map_or(Position::NONE, |frame| frame.position);
        }
        if position.is_none() && file == self.sources.main() {
            position = self.entered;
        }
        let message = match &*innermost {
            EvalAltResult::ErrorTerminated(token, _) => match token.read_lock::<Ending>().map(|e| e.clone()) {
                Some(Ending::Fail(reason, place)) => {
                    position = place;
                    format!("failed: {reason}")
                }
                Some(Ending::TooDeep) => too_deep(),
                Some(Ending::TooMuchMemory) => {
                    "took more than 1 GB of memory; check for a value that grows without end (the state of its \
                     virtual user is dropped)"
                        .to_owned()
                }
                Some(Ending::ValueTooDeep) => VALUE_TOO_DEEP.to_owned(),
                Some(Ending::LoadTooLong) => {
                    "the top level of the script has run for a minute; check for an endless loop (declare at \
                     the top level, do work in setup())"
                        .to_owned()
                }
                Some(ending) => return CallEnd::Ended(ending),
                None => "the script was ended".to_owned(),
            },
            _ => self.message(&mut innermost),
        };
        CallEnd::Error(self.assemble(message, file, position, &frames))
    }

    /// An error in the text of a file.
    pub(crate) fn explain_text(&self, message: String, position: Position) -> ScriptError {
        self.assemble(message, self.sources.main().to_owned(), position, &[])
    }

    /// Follows the calls to the innermost error; gives the calls, its file, and it.
    fn unwind(&self, mut error: Box<EvalAltResult>) -> (Vec<Frame>, String, Box<EvalAltResult>) {
        let mut file = self.sources.main().to_owned();
        let mut frames = Vec::new();
        loop {
            match *error {
                EvalAltResult::ErrorInFunctionCall(function, source, inner, position) => {
                    frames.push(Frame { file: file.clone(), position, function });
                    if !source.is_empty() {
                        file = source;
                    }
                    error = inner;
                }
                EvalAltResult::ErrorInModule(name, inner, position) => {
                    frames.push(Frame {
                        file: file.clone(),
                        position,
                        function: format!("import of {name}"),
                    });
                    file = name;
                    error = inner;
                }
                _ => return (frames, file, error),
            }
        }
    }

    fn assemble(&self, message: String, file: String, position: Position, frames: &[Frame]) -> ScriptError {
        let place = Place::new(self.sources, &file, position);
        let mut trace = place.quoted();
        for frame in frames.iter().rev().filter(|frame| !frame.position.is_none()).take(MOST_FRAMES) {
            let line = frame.position.line().unwrap_or(0);
            let column = frame.position.position().unwrap_or(0);
            let name = if frame.function.starts_with("anon$") { "a closure" } else { &frame.function };
            // Writing to a string does not fail.
            let _ = writeln!(trace, "  in {name}, called at {}:{line}:{column}", frame.file);
        }
        if let Some((vu, iteration)) = self.vu {
            let _ = writeln!(trace, "  virtual user {vu}, iteration {iteration}");
        }
        ScriptError { message, position: place.name(), trace: trace.trim_end().to_owned() }
    }

    fn message(&self, error: &mut EvalAltResult) -> String {
        match error {
            EvalAltResult::ErrorParsing(kind, _) => parse_message(kind),
            EvalAltResult::ErrorFunctionNotFound(signature, _) => self.unknown_function(signature),
            EvalAltResult::ErrorVariableNotFound(name, _) => {
                let names = [self.variables(), self.function_names()].concat();
                let hint = match habits::variable(name) {
                    Some(hint) => format!(" — {hint}"),
                    None => did_you_mean(name, names.iter().map(String::as_str)),
                };
                format!("unknown variable '{name}'{hint}")
            }
            EvalAltResult::ErrorModuleNotFound(name, _) => {
                let hint = did_you_mean(name, super::api::NAMESPACES.iter().copied());
                format!("unknown module '{name}'{hint}")
            }
            EvalAltResult::ErrorAssignmentToConstant(name, _) => {
                format!("cannot write to '{name}': {READ_ONLY}")
            }
            EvalAltResult::ErrorNonPureMethodCallOnConstant(method, _) => {
                // Rhai writes what sets a property or an element as a method of its own kind.
                match method.strip_prefix("set$").or_else(|| method.strip_prefix("index$set$")) {
                    Some(_) => format!("cannot write to a part of this value: {READ_ONLY}"),
                    None => format!("'{method}' would change this value: {READ_ONLY}"),
                }
            }
            EvalAltResult::ErrorUnboundThis(_) => {
                "`this` is not bound in this function: call it as this.name(…) from a task".to_owned()
            }
            EvalAltResult::ErrorStackOverflow(_) => too_deep(),
            EvalAltResult::ErrorDotExpr(text, _) => self.unknown_property(text),
            EvalAltResult::ErrorIndexingType(types, _) => match types.split_once(" [") {
                Some(("()", _)) => "the value before [ is ()".to_owned(),
                _ => format!("this value cannot be indexed: {}", readable(types)),
            },
            EvalAltResult::ErrorMismatchDataType(wanted, came, _) => {
                format!("expected {}, not {}", readable(wanted), readable(came))
            }
            EvalAltResult::ErrorFor(_) => {
                "for … in needs something to iterate over: an array, a range such as 0..10, text, or a map's \
                 keys()"
                    .to_owned()
            }
            EvalAltResult::ErrorDataTooLarge(what, _) => {
                format!(
                    "{} is too large (text may have 256 MB, arrays 16 million elements, maps 4 million)",
                    lower_first(what)
                )
            }
            EvalAltResult::ErrorDataRace(what, _) if what.is_empty() => {
                "`this` is used while a part of it is being changed; take what the closure needs into a variable \
                 first: let wanted = this.wanted;"
                    .to_owned()
            }
            EvalAltResult::ErrorDataRace(what, _) if what.contains("'on_message'") => {
                "on_message: the function uses the variable of the websocket that it is given to; a handler gets it as a \
                 second argument, |message, socket|"
                    .to_owned()
            }
            EvalAltResult::ErrorDataRace(what, _) => format!(
                "{what} uses a variable that the same expression is using; assign the part before the closure \
                 to a variable, `let list = page.css(\"a\").texts(); list.map(|text| …)`"
            ),
            EvalAltResult::ErrorRuntime(value, _) if value.is_string() => value.to_string(),
            EvalAltResult::ErrorRuntime(value, _) if value.is_unit() => {
                "an error without a message was thrown".into()
            }
            EvalAltResult::ErrorRuntime(value, _) => format!("thrown: {value}"),
            other => {
                other.set_position(Position::NONE);
                lower_first(&other.to_string())
            }
        }
    }

    /// `signature` is as Rhai writes it: `name (type, type)`.
    fn unknown_function(&self, signature: &str) -> String {
        let (name, arguments) = match signature.split_once(" (") {
            Some((name, arguments)) => (name.trim(), format!("({arguments}")),
            None => (signature.trim(), String::new()),
        };
        let known = self.function_names();
        if known.iter().any(|other| other == name) {
            return format!("no function '{name}' takes {}{}", readable(&arguments), self.forms(name));
        }
        if !name.chars().any(char::is_alphanumeric) {
            let types = arguments.trim_matches(['(', ')']).replace(", ", " and ");
            return format!("'{name}' is not defined for {}", readable(&types));
        }
        if let Some((namespace, _)) = name.split_once("::")
            && !super::api::NAMESPACES.contains(&namespace)
            && let Some(nearest) = nearest(namespace, super::api::NAMESPACES.iter().copied())
        {
            return format!("unknown module '{namespace}' — did you mean '{nearest}'?");
        }
        let hint = match habits::function(name).or_else(|| habits::method(name)) {
            Some(hint) => format!(" — {hint}"),
            None => did_you_mean(name, known.iter().map(String::as_str)),
        };
        format!("unknown function '{name}{}'{hint}", readable(&arguments))
    }

    /// What a function takes instead, when that is short enough to say.
    fn forms(&self, name: &str) -> String {
        let own = self.functions.iter().filter(|(known, _)| known == name);
        let own = own.map(|(_, count)| match count {
            0 => "nothing".to_owned(),
            1 => "1 argument".to_owned(),
            several => format!("{several} arguments"),
        });
        let registered = || {
            self.engine.collect_fn_metadata(
                None,
                |info| {
                    let whole = match info.namespace.as_str() {
                        "" => info.metadata.name.to_string(),
                        namespace => format!("{namespace}::{}", info.metadata.name),
                    };
                    let types: Vec<&str> =
                        info.metadata.param_types.iter().map(|of| type_in_words(*of)).collect();
                    (whole == name).then(|| match types.as_slice() {
                        [] => "nothing".to_owned(),
                        types => format!("({})", types.join(", ")),
                    })
                },
                true,
            )
        };
        let mut forms: Vec<String> = own.collect();
        if forms.is_empty() {
            forms = registered();
        }
        forms.sort_by_key(String::len);
        forms.dedup();
        match forms.as_slice() {
            [] => String::new(),
            [one] => format!("; it takes {one}"),
            [rest @ .., last] if forms.len() <= MOST_FORMS => {
                format!("; it takes {} or {last}", rest.join(", "))
            }
            _ => String::new(),
        }
    }

    /// `text` is as Rhai writes it: `Unknown property 'x' - a getter is not registered for type 'T'`.
    fn unknown_property(&self, text: &str) -> String {
        let mut quoted = text.split('\'').skip(1).step_by(2);
        let (Some(property), Some(of)) = (quoted.next(), quoted.next()) else { return lower_first(text) };
        if text.starts_with("No writable") {
            return format!("a value of type {of} has no writable property '{property}'");
        }
        if of == "()" {
            return format!("cannot read '{property}': the value before the dot is ()");
        }
        let properties = self.engine.collect_fn_metadata(
            None,
            |info| info.metadata.name.strip_prefix("get$").map(str::to_owned),
            true,
        );
        let hint = match habits::property(property) {
            Some(hint) if of == "Response" => format!(" — {hint}"),
            _ => did_you_mean(property, properties.iter().map(String::as_str)),
        };
        format!("a value of type {of} has no property '{property}'{hint}")
    }

    /// Variables of the top level.
    fn variables(&self) -> Vec<String> {
        let variables = self.global.constants.as_ref().map(|variables| variables.borrow());
        variables.iter().flat_map(|variables| variables.keys().map(ToString::to_string)).collect()
    }

    /// Every function that could have been meant, with its namespace.
    fn function_names(&self) -> Vec<String> {
        let registered = self.engine.collect_fn_metadata(
            None,
            |info| {
                let name = info.metadata.name.as_str();
                let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
                plain.then(|| match info.namespace.as_str() {
                    "" => name.to_owned(),
                    namespace => format!("{namespace}::{name}"),
                })
            },
            true,
        );
        self.functions.iter().map(|(name, _)| name.clone()).chain(registered).collect()
    }
}

fn too_deep() -> String {
    "function calls are nested too deeply; check for endless recursion".to_owned()
}

/// Rhai's type names in the words of its users.
fn readable(arguments: &str) -> String {
    arguments.replace("&str | ImmutableString | String", "string").replace("&str", "string")
}

/// The type of a parameter as messages name it.
fn type_in_words(of: TypeId) -> &'static str {
    let known = [
        (TypeId::of::<ImmutableString>(), "string"),
        (TypeId::of::<i64>(), "i64"),
        (TypeId::of::<f64>(), "f64"),
        (TypeId::of::<bool>(), "bool"),
        (TypeId::of::<Map>(), "map"),
        (TypeId::of::<Array>(), "array"),
        (TypeId::of::<Blob>(), "blob"),
        (TypeId::of::<FnPtr>(), "Fn"),
        (TypeId::of::<Dynamic>(), "any"),
    ];
    known.iter().find(|(known, _)| *known == of).map_or("…", |(_, name)| name)
}

/// The message of a syntax error.
pub(super) fn parse_message(kind: &ParseErrorType) -> String {
    match kind {
        ParseErrorType::UnexpectedEOF => "unexpected end of script; is a } or ) missing?".into(),
        ParseErrorType::WrongFnDefinition => {
            "functions cannot be nested; is a } missing before this one?".into()
        }
        ParseErrorType::AssignmentToConstant(name) if !name.is_empty() => {
            format!("cannot write to '{name}': it is a constant")
        }
        ParseErrorType::Reserved(word) if rhai::is_valid_identifier(word) => reserved(word),
        other => lower_first(&other.to_string()),
    }
}

fn reserved(word: &str) -> String {
    let hint = match word {
        "var" => "a variable is declared with let",
        "null" | "nil" => "write () for no value",
        "new" => "values are created without a keyword",
        "async" | "await" => "API functions wait by themselves",
        _ => "choose another name; as a key of a map, write it in quotes",
    };
    format!("'{word}' is a reserved word of Rhai — {hint}")
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        // "JSON …" keeps its capitals, "Division …" does not.
        Some(first) if !chars.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}
