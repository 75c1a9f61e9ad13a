//! What a script's `summary` returns: texts, and where they are to be written.
//!
//! Owns what its value means. Leaves writing, and where that is allowed, to the command line. Invariant: the number of
//! outputs and their size are bounded.

use rhai::{Dynamic, Map};
use serde::{Deserialize, Serialize};

use super::api::response::Response;
use super::value::Value;
use crate::text::clean_json;

/// Maximum number of outputs.
const MOST_OUTPUTS: usize = 100;

/// Maximum size of all of them together, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// A text that a script's `summary` wants to be written at the end of its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SummaryOutput {
    /// The path of a file, or `stdout` or `stderr`.
    pub place: String,
    /// What is to be written there, without the secrets that the script declares.
    pub text: String,
}

impl SummaryOutput {
    /// The outputs that a value of `summary` stands for.
    ///
    /// # Errors
    /// In words, when it makes no sense.
    pub(super) fn all(value: &Dynamic) -> Result<Vec<SummaryOutput>, String> {
        // In Rhai the last statement is the value, semicolon or not: `fn summary(data) { http::post("/done"); }`.
        if value.is_unit() || value.is::<Response>() {
            return Ok(Vec::new());
        }
        let Some(map) = value.read_lock::<Map>() else {
            return Err(format!(
                "summary returned {}; it must return (), or a map from file names to texts, such as #{{ \
                 \"summary.json\": data }}",
                super::api::describe(value)
            ));
        };
        if map.len() > MOST_OUTPUTS {
            return Err(format!("summary returned {} files; the maximum is {MOST_OUTPUTS}", map.len()));
        }
        let mut outputs = Vec::new();
        let mut bytes = 0;
        for (place, value) in map.iter().filter(|(_, value)| !value.is_unit()) {
            let text = text(place, value)?;
            bytes += text.len();
            if bytes > MOST_BYTES {
                let most = MOST_BYTES >> 20;
                return Err(format!("summary returned more than {most} MB of text, with '{place}'"));
            }
            outputs.push(SummaryOutput { place: place.to_string(), text });
        }
        Ok(outputs)
    }
}

/// Text as it is; maps and arrays as JSON.
fn text(place: &str, value: &Dynamic) -> Result<String, String> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.to_string());
    }
    if !value.is_map() && !value.is_array() {
        let given = super::api::describe(value);
        return Err(format!("summary: '{place}' must be text, a map or an array, not {given}"));
    }
    // Asked first, because a function would be written as the name of its type.
    Value::from_dynamic(value)
        .map_err(|kind| format!("summary: '{place}' contains a {kind}, which JSON cannot represent"))?;
    let json = serde_json::to_string_pretty(value).map_err(|error| format!("summary: '{place}': {error}"))?;
    Ok(clean_json(json + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(source: &str) -> Result<Vec<(String, String)>, String> {
        let value: Dynamic = rhai::Engine::new().eval(source).unwrap();
        let outputs = SummaryOutput::all(&value)?;
        Ok(outputs.into_iter().map(|output| (output.place, output.text)).collect())
    }

    #[test]
    fn what_a_summary_may_return() {
        assert_eq!(outputs("()"), Ok(vec![]));
        let found =
            outputs(r#"#{ stdout: "done\n", "a/b.json": #{ n: [1, 2.5] }, "none.txt": () }"#).unwrap();
        assert_eq!(found[1], ("stdout".to_owned(), "done\n".to_owned()));
        let json: serde_json::Value = serde_json::from_str(&found[0].1).unwrap();
        assert_eq!((found.len(), json), (2, serde_json::json!({ "n": [1, 2.5] })));
        for (wrong, part) in [
            ("5", "summary returned 5; it must return ()"),
            ("\"text\"", "from file names to texts"),
            ("#{ a: 5 }", "'a' must be text, a map or an array, not 5"),
            ("#{ a: [|x| x] }", "'a' contains a Fn"),
            ("let m = #{}; for i in 0..101 { m[`f${i}`] = \"\"; } m", "the maximum is 100"),
            ("let s = \"x\"; s.pad(34000000, \"x\"); #{ a: s, b: s }", "more than 64 MB of text, with 'b'"),
        ] {
            let error = outputs(wrong).unwrap_err();
            assert!(error.contains(part), "{wrong}: {error}");
        }
    }
}
