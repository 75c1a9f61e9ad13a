//! What the run does about broken thresholds: tells the script, and ends for one that demands it.

use super::Driver;
use crate::analysis::limit_sentence;
use crate::metrics::{ThresholdEvent, ThresholdStats};
use crate::plan::EndedBy;
use crate::run::workers::{Command, Workers};
use crate::script::{EventFields, ScriptEvent, Value};

impl<W: Workers> Driver<W> {
    /// Acts on what has changed with the interval that has ended.
    pub(super) fn act_on_thresholds(&mut self) {
        let events = self.figures.aggregator.take_threshold_events();
        for ThresholdEvent { stats, .. } in events.iter().filter(|event| event.is_breach) {
            let command = Command::Announce(ScriptEvent::ThresholdFailed, broken_fields(stats));
            self.tell_first(command);
        }
        if let Some(stats) = self.figures.aggregator.take_aborting_threshold() {
            self.stop_once(EndedBy::Threshold(limit_sentence(&stats)));
        }
    }
}

/// What listeners to a broken threshold are told.
fn broken_fields(stats: &ThresholdStats) -> EventFields {
    let threshold = &stats.threshold;
    let number = |value: Option<f64>| value.map_or(Value::Unit, Value::Float);
    vec![
        ("metric".into(), Value::Text(threshold.selector())),
        ("threshold".into(), Value::Text(threshold.expression.clone())),
        ("limit".into(), Value::Float(threshold.limit)),
        ("measured".into(), number(stats.measured)),
        ("unit".into(), Value::Text(threshold.quantity.unit().to_owned())),
        ("text".into(), Value::Text(limit_sentence(stats))),
    ]
}
