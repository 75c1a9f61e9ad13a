//! What the run does about broken thresholds: tells the script, and ends for one that demands it.

use super::super::worker_loop::Command;
use super::Driver;
use crate::analysis::limit_sentence;
use crate::metrics::{ThresholdEvent, ThresholdStats};
use crate::plan::EndedBy;
use crate::script::{EventFields, ScriptEvent, Value};

impl Driver {
    /// Acts on what has changed with the interval that has ended.
    pub(super) async fn act_on_thresholds(&mut self) {
        let events = self.aggregator.take_threshold_events();
        for ThresholdEvent { stats, .. } in events.iter().filter(|event| event.is_breach) {
            self.tell(0, Command::Announce(ScriptEvent::ThresholdFailed, broken_fields(stats))).await;
        }
        if let Some(stats) = self.aggregator.take_aborting_threshold() {
            self.stop_once(EndedBy::Threshold(limit_sentence(&stats))).await;
        }
    }
}

/// What listeners to a broken threshold are told.
fn broken_fields(stats: &ThresholdStats) -> EventFields {
    let threshold = &stats.threshold;
    let number = |value: Option<f64>| value.map_or(Value::Unit, Value::Float);
    vec![
        ("metric", Value::Text(threshold.selector())),
        ("threshold", Value::Text(threshold.expression.clone())),
        ("limit", Value::Float(threshold.limit)),
        ("measured", number(stats.measured)),
        ("unit", Value::Text(threshold.quantity.unit().to_owned())),
        ("text", Value::Text(limit_sentence(stats))),
    ]
}
