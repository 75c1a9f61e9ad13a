//! Why an input cannot be converted, and where in it.
//!
//! Leaves the name of the input to the command, which alone knows it.

/// See the module's description.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Line and column, from 1.
    at: Option<(u64, u64)>,
    text: String,
}

impl Problem {
    /// At a line and column.
    pub(super) fn at(line: u64, column: u64, text: String) -> Problem {
        Problem { at: place(line, column), text }
    }

    /// That JSON cannot be read as `what`.
    pub(super) fn of_json(what: &str, error: &serde_json::Error) -> Problem {
        let (line, column) = (error.line() as u64, error.column() as u64);
        let reason = error.to_string().replace(&format!(" at line {line} column {column}"), "");
        let hint = if error.is_eof() { "; it ends too early: was it saved whole?" } else { "" };
        Problem { at: place(line, column), text: format!("this is not {what}: {reason}{hint}") }
    }

    /// That YAML cannot be read.
    pub(super) fn of_yaml(error: &serde_saphyr::Error) -> Problem {
        let at = error.location().map_or((0, 0), |at| (at.line(), at.column()));
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let reason = first.replace(&format!(" at line {}, column {}", at.0, at.1), "");
        Problem { at: place(at.0, at.1), text: format!("this is not YAML that can be read: {reason}") }
    }

    /// With the name of the input before it, as `shop.har:2:14: …`.
    pub(crate) fn told_of(&self, input: &str) -> String {
        match self.at {
            Some((line, column)) => format!("{input}:{line}:{column}: {}", self.text),
            None => format!("{input}: {}", self.text),
        }
    }
}

/// Lines are counted from 1; 0 is said of what has no place. A column of 0 is the end of the line before.
fn place(line: u64, column: u64) -> Option<(u64, u64)> {
    (line > 0).then_some((line, column.max(1)))
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem { at: None, text }
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Problem {
        text.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_stands_before_the_reason_and_not_in_it() {
        let json = |text: &str| {
            let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
            Problem::of_json("JSON", &error).told_of("a.json")
        };
        assert_eq!(json("{\n \"a\": ,"), "a.json:2:7: this is not JSON: expected value");
        assert_eq!(
            json("{\"a\": ["),
            "a.json:1:7: this is not JSON: EOF while parsing a list; it ends too early: was it saved whole?"
        );
        let error = serde_saphyr::from_str::<serde_json::Value>("a: 1\nb: [").unwrap_err();
        let told = Problem::of_yaml(&error).told_of("a.yaml");
        assert!(told.starts_with("a.yaml:2:") && !told.contains("at line"), "{told}");
        assert_eq!(Problem::from("it is empty").told_of("standard input"), "standard input: it is empty");
    }
}
