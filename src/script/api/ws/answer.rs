//! What answers a message, as the script that sent it has said. Pure but for the script's own functions.

use std::rc::Rc;
use std::time::Instant;

use rhai::{Dynamic, FnPtr, Map};
use serde_json::Value as Json;

use super::super::convert;
use super::SEND_KEYS;
use crate::ws::Message;

/// A message that awaits an answer.
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) answer: Answer,
}

/// What answers a message.
#[derive(Clone)]
pub(super) enum Answer {
    /// The next message that answers no other.
    Next,
    /// The first message for which this function is true.
    When(FnPtr),
    /// The first message that is a JSON object with these fields.
    With(Rc<Json>),
}

/// What answers a message that is sent with these settings.
pub(super) fn answer_in(settings: &Map) -> Result<Option<Answer>, String> {
    let mut answer = Some(Answer::Next);
    for (key, value) in settings {
        SEND_KEYS.check("send", key)?;
        answer = if let Ok(awaited) = value.as_bool() {
            awaited.then_some(Answer::Next)
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            Some(Answer::When(function.clone()))
        } else if value.is_map() {
            let fields = serde_json::to_value(value).map_err(|error| format!("send: answer: {error}"))?;
            Some(Answer::With(Rc::new(fields)))
        } else {
            return Err(convert::expected(
                "send: answer",
                "true, false, a map of fields, or a function",
                value,
            ));
        };
    }
    Ok(answer)
}

/// Whether a value has what is wanted: the same value, or an object with at least these fields.
pub(super) fn has(value: &Json, wanted: &Json) -> bool {
    match (value, wanted) {
        (Json::Object(fields), Json::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| fields.get(key).is_some_and(|value| has(value, wanted)))
        }
        (Json::Number(value), Json::Number(wanted)) => value == wanted || value.as_f64() == wanted.as_f64(),
        _ => value == wanted,
    }
}

impl Message {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    pub(super) fn to_dynamic(&self) -> Dynamic {
        match self {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => Dynamic::from_blob(bytes.to_vec()),
        }
    }
}
