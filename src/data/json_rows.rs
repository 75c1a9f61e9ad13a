//! A JSON file whose value is an array becomes rows: its text, and where each element stands in it.
//!
//! Keeping the text costs a fraction of keeping the values; an element is parsed when it is asked for.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::rows::Rows;

/// What a JSON file holds.
#[derive(Debug)]
pub(super) enum Json {
    /// An array.
    Rows(Rows),
    /// Anything else, as text that has been checked.
    Value(String),
}

/// Reads a JSON text.
///
/// # Errors
/// When it is no JSON, with line and column.
pub(super) fn json(text: String) -> Result<Json, String> {
    let wrong = |error: serde_json::Error| format!("is not JSON: {error}");
    if !text.trim_start().starts_with('[') {
        serde_json::from_str::<IgnoredAny>(&text).map_err(wrong)?;
        return Ok(Json::Value(text));
    }
    let elements: Vec<&RawValue> = serde_json::from_str(&text).map_err(wrong)?;
    let begin = text.as_ptr().addr();
    let span = |element: &&RawValue| {
        // The elements are slices of the text, whose size has been checked to fit.
        let start = element.get().as_ptr().addr() - begin;
        (start as u32, (start + element.get().len()) as u32)
    };
    let spans = elements.iter().map(span).collect();
    Ok(Json::Rows(Rows::Json { text, spans }))
}

#[cfg(test)]
mod tests {
    use super::super::rows::Row;
    use super::*;

    #[test]
    fn an_array_is_rows_and_all_else_a_value() {
        let Ok(Json::Rows(rows)) = json(" [ {\"a\": [1, 2]} , \"x\",\n3 ]\n".to_owned()) else {
            panic!("an array is rows")
        };
        let row = |index| match rows.get(index) {
            Some(Row::Json(text)) => text.to_owned(),
            _ => String::new(),
        };
        assert_eq!(
            (rows.len(), row(0).as_str(), row(1).as_str(), row(2).as_str()),
            (3, "{\"a\": [1, 2]}", "\"x\"", "3")
        );
        assert!(matches!(json("{\"a\": 1}".to_owned()), Ok(Json::Value(_))));
        let error = json("[1,\n2,]".to_owned()).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
        assert!(json("{} x".to_owned()).is_err() && json(String::new()).is_err());
    }
}
