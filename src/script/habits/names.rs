//! Names of other languages and tools, by what they are used as.

use std::path::Path;

/// A name, and what is written instead: `write FORM`, or a sentence when there is no form.
type Names = &'static [(&'static str, Instead)];

#[derive(Clone, Copy)]
enum Instead {
    /// A Rhai expression or statement. Free variables: `value text list map r a b name`.
    Form(&'static str),
    /// There is no such thing; what to do.
    Advice(&'static str),
}

use Instead::{Advice, Form};

const VARIABLES: Names = &[
    ("None", Form("()")),
    ("undefined", Form("()")),
    ("nil", Form("()")),
    ("True", Form("true")),
    ("False", Form("false")),
    ("self", Advice("the virtual user's own map is `this`; write this.name = value")),
    ("NaN", Advice("there is no such constant; test a float with value.is_nan()")),
    ("Infinity", Advice("there is no such constant; test a float with value.is_infinite()")),
    ("console", Form("print(value)")),
    ("Date", Form("time::unix_ms()")),
    ("datetime", Form("time::iso()")),
    (
        "Math",
        Advice("numbers have methods: value.floor(), value.abs(); see rhaid docs random for random numbers"),
    ),
    ("math", Advice("numbers have methods: value.floor(), value.abs(), value.sqrt()")),
    ("JSON", Advice("write value.to_json() and parse_json(text); a response has .json()")),
    ("json", Advice("write value.to_json() and parse_json(text); a response has .json()")),
    ("Object", Advice("a map has .keys(), .values() and .len()")),
    ("Array", Advice("an array is written [1, 2]; it has .len(), .map(|x| …), .filter(|x| …)")),
    ("Number", Form("parse_float(text)")),
    ("String", Form("value.to_string()")),
    ("os", Form("env::get(\"NAME\")")),
    ("sys", Advice("scripts reach nothing of the machine; see rhaid docs env and rhaid docs log")),
    ("process", Form("env::get(\"NAME\")")),
    ("__ENV", Form("env::get(\"NAME\")")),
    ("__VU", Form("vu::id()")),
    ("__ITER", Form("vu::iteration()")),
    ("exec", Advice("write vu::id(), vu::iteration(), vu::scenario()")),
    ("uuid", Form("random::uuid()")),
    ("re", Form("text.regex(\"id=([0-9]+)\")")),
    ("URL", Form("url::parse(text)")),
    ("urllib", Form("url::parse(text)")),
    ("requests", Form("http::get(\"/path\")")),
    ("client", Form("http::get(\"/path\")")),
    ("session", Form("http::get(\"/path\")")),
    ("fetch", Form("http::get(\"/path\")")),
    ("axios", Form("http::get(\"/path\")")),
    ("locust", Advice("nothing needs to be imported; see docs/from-locust.md")),
    (
        "environment",
        Advice("see rhaid docs run for the state of the run, and on(\"test_start\", …) for events"),
    ),
    ("logging", Form("log::info(text)")),
    ("logger", Form("log::info(text)")),
    ("pass", Advice("an empty block is written {}")),
    ("SharedArray", Form("data::json(\"users.json\")")),
    ("options", Form("options(#{ users: 10 })")),
];

/// What stands before and after a dot.
const MEMBERS: &[(&str, &str, &str)] = &[
    ("Math", "floor", "value.floor()"),
    ("Math", "ceil", "value.ceiling()"),
    ("Math", "round", "value.round()"),
    ("Math", "abs", "value.abs()"),
    ("Math", "sqrt", "value.sqrt()"),
    ("Math", "pow", "a ** b"),
    ("Math", "max", "max(a, b)"),
    ("Math", "min", "min(a, b)"),
    ("Math", "random", "random::float(0.0, 1.0)"),
    ("Date", "now", "time::unix_ms()"),
    ("JSON", "stringify", "value.to_json()"),
    ("JSON", "parse", "parse_json(text)"),
    ("json", "dumps", "value.to_json()"),
    ("json", "loads", "parse_json(text)"),
    ("console", "log", "print(value)"),
    ("console", "info", "log::info(text)"),
    ("console", "warn", "log::warn(text)"),
    ("console", "error", "log::error(text)"),
    ("Object", "keys", "map.keys()"),
    ("Object", "values", "map.values()"),
    ("time", "sleep", "sleep(1)"),
    ("time", "time", "time::unix_ms()"),
    ("time", "perf_counter", "time::unix_ms()"),
    ("random", "randint", "random::int(1, 6)"),
    ("random", "randrange", "random::int(1, 6)"),
    ("random", "uniform", "random::float(0.0, 1.0)"),
    ("random", "random", "random::float(0.0, 1.0)"),
    ("random", "choice", "random::pick(list)"),
    ("random", "sample", "random::sample(list, 3)"),
    ("re", "search", "text.regex(\"id=([0-9]+)\")"),
    ("re", "match", "text.regex(\"^id=([0-9]+)\")"),
    ("re", "findall", "text.regex_all(\"id=([0-9]+)\")"),
    ("os", "getenv", "env::get(\"NAME\")"),
    ("os", "environ", "env::get(\"NAME\")"),
    ("uuid", "uuid4", "random::uuid()"),
    ("self", "client", "http::get(\"/path\")"),
    ("http", "del", "http::delete(\"/path\")"),
    ("logging", "info", "log::info(text)"),
    ("logging", "warning", "log::warn(text)"),
    ("logging", "error", "log::error(text)"),
];

const FUNCTIONS: Names = &[
    ("str", Form("value.to_string()")),
    ("String", Form("value.to_string()")),
    ("float", Form("parse_float(text)")),
    ("Number", Form("parse_float(text)")),
    ("parseInt", Form("parse_int(text)")),
    ("parseFloat", Form("parse_float(text)")),
    ("isNaN", Form("value.is_nan()")),
    ("randint", Form("random::int(1, 6)")),
    ("uniform", Form("random::float(0.0, 1.0)")),
    ("choice", Form("random::pick(list)")),
    ("dict", Form("#{}")),
    ("list", Form("[]")),
    ("isinstance", Form("type_of(value) == \"string\"")),
    ("typeof", Form("type_of(value)")),
    ("urlparse", Form("url::parse(text)")),
    ("urljoin", Form("url::join(a, b)")),
    ("urlencode", Form("url::query(map)")),
    ("URLSearchParams", Form("url::query(map)")),
    ("sorted", Form("list.sort()")),
    ("enumerate", Form("for (x, i) in list { print(i); print(x); }")),
    ("println", Form("print(text)")),
    ("console", Form("print(text)")),
    ("fetch", Form("http::get(\"/path\")")),
    (
        "require",
        Advice(
            "http, check, sleep and all other modules are there; a file is imported by import \"lib/cart\" as cart;",
        ),
    ),
    ("open", Form("data::json(\"users.json\")")),
    ("randomIntBetween", Form("random::int(1, 6)")),
    ("randomItem", Form("random::pick(list)")),
    ("randomString", Form("random::string(8)")),
    ("uuidv4", Form("random::uuid()")),
    ("Error", Form("throw \"why\"")),
    ("setTimeout", Form("sleep(1)")),
    ("assert", Form("check(\"name\", value == 1)")),
    ("getattr", Form("map.get(name)")),
];

const METHODS: Names = &[
    ("includes", Form("text.contains(\"part\")")),
    ("startsWith", Form("text.starts_with(\"start\")")),
    ("startswith", Form("text.starts_with(\"start\")")),
    ("endsWith", Form("text.ends_with(\"end\")")),
    ("endswith", Form("text.ends_with(\"end\")")),
    ("toUpperCase", Form("text.to_upper()")),
    ("upper", Form("text.to_upper()")),
    ("toLowerCase", Form("text.to_lower()")),
    ("lower", Form("text.to_lower()")),
    ("toString", Form("value.to_string()")),
    ("strip", Advice("text.trim() changes the variable itself and returns nothing")),
    ("forEach", Form("for x in list { print(x); }")),
    ("indexOf", Form("text.index_of(\"part\")")),
    ("substring", Form("text.sub_string(0, 3)")),
    ("substr", Form("text.sub_string(0, 3)")),
    ("slice", Form("list.extract(0, 3)")),
    ("charAt", Form("text.get(0)")),
    ("hasOwnProperty", Form("map.contains(\"key\")")),
    ("has_key", Form("map.contains(\"key\")")),
    ("items", Form("map.keys()")),
    ("entries", Form("map.keys()")),
    ("isdigit", Advice("parse it: parse_int(text) throws when it is no number")),
    ("format", Form("`text ${value}`")),
    ("extend", Form("list.append([1, 2])")),
    ("unwrap", Advice("values are not wrapped; () stands for none, and value ?? other replaces it")),
    ("iter", Form("for x in list { print(x); }")),
    ("raise_for_status", Form("r.expect(200)")),
    ("matchAll", Form("text.regex_all(\"[0-9]+\")")),
    ("findall", Form("text.regex_all(\"[0-9]+\")")),
    ("find_all", Advice("r.html().css(\"a\") finds elements, r.regex(\"…\") text")),
    ("querySelector", Form("r.html().css(\"a\")")),
    ("failure", Form("r.fail(\"why\")")),
    ("success", Form("r.succeed()")),
    ("error", Form("r.fail(\"why\")")),
];

/// What is read of a response; not shown for maps, whose keys are free.
const PROPERTIES: Names = &[
    ("status_code", Form("r.status")),
    ("statusCode", Form("r.status")),
    ("content", Form("r.body")),
    ("data", Form("r.json()")),
    ("elapsed", Form("r.duration")),
    ("response_time", Form("r.duration")),
    ("reason", Form("r.error")),
    ("text", Form("r.text()")),
    ("json", Form("r.json()")),
    ("html", Form("r.html()")),
    ("length", Form("list.len()")),
    ("error_code", Form("r.error_kind")),
];

/// Keys of the parameters of a request, of a scenario or of the options.
const KEYS: Names = &[
    ("data", Advice("a form is `form: #{ … }`, JSON is `json: #{ … }`, text is `body: \"…\"`")),
    ("payload", Advice("a form is `form: #{ … }`, JSON is `json: #{ … }`, text is `body: \"…\"`")),
    ("params", Advice("what stands after ? in the URL is `query: #{ … }`")),
    ("searchParams", Advice("what stands after ? in the URL is `query: #{ … }`")),
    ("auth", Advice("write `basic: [\"user\", \"password\"]` or `bearer: token`")),
    ("verify", Advice("certificates are set for the whole run: options(#{ http: #{ insecure: true } })")),
    ("allow_redirects", Advice("write `redirects: 0` to follow none")),
    ("catch_response", Advice("every response can be judged: r.fail(\"why\"), r.succeed(), `expect:`")),
    ("context", Advice("leave it out; r.fail(\"why\") marks a request as failed")),
    ("responseType", Advice("leave it out; `discard_body: true` does not keep the body")),
    ("vus", Advice("write `users: 10`")),
    ("wait_time", Advice("write `wait: between(1, 3)`")),
    ("duration", Advice("the whole run's is `run_time: \"1m\"`")),
    ("scenarios", Advice("declare each with scenario(\"name\", #{ … })")),
    ("host_url", Advice("write `host: \"http://127.0.0.1:8000\"`")),
    ("base_url", Advice("write `host: \"http://127.0.0.1:8000\"`")),
    ("baseURL", Advice("write `host: \"http://127.0.0.1:8000\"`")),
];

fn find(names: Names, name: &str) -> Option<String> {
    names.iter().find(|(known, _)| *known == name).map(|(_, instead)| match instead {
        Form(form) => format!("write {form}"),
        Advice(advice) => (*advice).to_owned(),
    })
}

/// What to write instead of a variable.
pub(crate) fn variable(name: &str) -> Option<String> {
    find(VARIABLES, name)
}

/// What to write instead of `of.name`.
pub(crate) fn member(of: &str, name: &str) -> Option<String> {
    let known = MEMBERS.iter().find(|(known, member, _)| *known == of && *member == name);
    known.map(|(_, _, form)| format!("write {form}"))
}

/// What to write instead of a function.
pub(crate) fn function(name: &str) -> Option<String> {
    find(FUNCTIONS, name)
}

/// What to write instead of a function with so many arguments.
pub(crate) fn count(name: &str, count: usize) -> Option<String> {
    (name == "range" && count == 1).then(|| "write 0..10".to_owned())
}

/// What to write instead of a method.
pub(crate) fn method(name: &str) -> Option<String> {
    find(METHODS, name)
}

/// What to write instead of a property of a response.
pub(crate) fn property(name: &str) -> Option<String> {
    find(PROPERTIES, name)
}

/// What to write instead of a key.
pub(crate) fn key(name: &str) -> Option<String> {
    find(KEYS, name)
}

/// What to write for a method that changes the value before the dot, where its value is used.
pub(crate) fn in_place(name: &str) -> Option<String> {
    let known = [
        "trim",
        "replace",
        "make_upper",
        "make_lower",
        "crop",
        "truncate",
        "pad",
        "sort",
        "reverse",
        "append",
        "push",
        "insert",
        "clear",
    ];
    let instead = match name {
        "make_upper" => "write text.to_upper()".to_owned(),
        "make_lower" => "write text.to_lower()".to_owned(),
        _ => format!("write value.{name}(…); on a line of its own, then use value"),
    };
    known.contains(&name).then_some(instead)
}

/// The error of a file that is a script of another tool.
pub(crate) fn foreign_file(path: &Path) -> Option<String> {
    let (language, tool, guide) = match path.extension()?.to_str()? {
        "py" => ("Python", "Locust", "from-locust"),
        "js" | "mjs" | "cjs" => ("JavaScript", "k6", "from-k6"),
        "ts" | "mts" => ("TypeScript", "k6", "from-k6"),
        _ => return None,
    };
    Some(format!(
        "{} is a {language} file; scripts here are Rhai — docs/{guide}.md shows each form of {tool} in Rhai, and rhaid \
         new test.rhai writes a script to start from",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoadTest;

    fn forms() -> impl Iterator<Item = &'static str> {
        let of = |names: Names| {
            names.iter().filter_map(|(_, instead)| match instead {
                Form(form) => Some(*form),
                Advice(_) => None,
            })
        };
        let names = [VARIABLES, FUNCTIONS, METHODS, PROPERTIES, KEYS].into_iter().flat_map(of);
        names.chain(MEMBERS.iter().map(|(_, _, form)| *form))
    }

    #[test]
    fn every_form_that_is_proposed_is_a_valid_script() {
        for form in forms() {
            // What declares or reads a file stands at the top level.
            let script = if form.starts_with("options(") || form.starts_with("data::") {
                format!("{form};\nfn iteration() {{}}")
            } else {
                format!(
                    "fn iteration() {{\n  let value = 1.5; let text = \"a\"; let list = [1]; let map = #{{}}; let name = \
                     \"a\";\n  let a = 1; let b = 2; let r = http::get(\"/\");\n  {form};\n}}"
                )
            };
            let report = LoadTest::from_text("form.rhai", &script).host("http://127.0.0.1:1").find_problems();
            let wrong: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
            let only_the_file = wrong.iter().all(|text| text.contains("users.json"));
            assert!(wrong.is_empty() || only_the_file, "{form}: {wrong:?}");
        }
    }

    #[test]
    fn files_of_other_tools_are_told() {
        let told = |path: &str| foreign_file(Path::new(path));
        assert!(told("locustfile.py").unwrap().contains("from-locust.md"));
        assert!(told("a/script.js").unwrap().contains("from-k6.md"));
        assert_eq!(told("a.rhai"), None);
        assert_eq!(told("a"), None);
    }
}
