//! What listeners of the script are told of the course of the load: another phase or stage, and that all users run. Pure.

use std::sync::Arc;

use crate::metrics::Phase;
use crate::script::{EventFields, ScriptEvent, Value};

/// See the module's description.
pub(super) struct Announcer {
    phase: Phase,
    stage: Option<Arc<str>>,
    full_load: bool,
}

impl Announcer {
    pub(super) fn new() -> Announcer {
        Announcer { phase: Phase::Starting, stage: None, full_load: false }
    }

    /// What is to be told when the load is in this phase and stage; nothing while it stays there.
    pub(super) fn look(
        &mut self,
        phase: Phase,
        stage: &Option<Arc<str>>,
        users: impl FnOnce() -> u64,
    ) -> Vec<(ScriptEvent, EventFields)> {
        if (phase, stage) == (self.phase, &self.stage) {
            return Vec::new();
        }
        let text = |text: &str| Value::Text(text.to_owned());
        let word = |phase: Phase, stage: &Option<Arc<str>>| text(stage.as_deref().unwrap_or(phase.as_str()));
        let fields = vec![
            ("stage".into(), word(phase, stage)),
            ("phase".into(), text(phase.as_str())),
            ("previous".into(), word(self.phase, &self.stage)),
        ];
        (self.phase, self.stage) = (phase, stage.clone());
        let mut told = vec![(ScriptEvent::Stage, fields)];
        if phase == Phase::Steady && !std::mem::replace(&mut self.full_load, true) {
            let users = vec![("users".into(), Value::Int(users() as i64))];
            told.push((ScriptEvent::SpawningComplete, users));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_full_load_only_the_first_time() {
        let mut announcer = Announcer::new();
        let mut look = |phase, stage: Option<&str>| {
            let told = announcer.look(phase, &stage.map(Arc::from), || 7);
            told.into_iter().map(|(event, fields)| (event, fields[0].1.clone())).collect::<Vec<_>>()
        };
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(look(Phase::RampUp, None), [(ScriptEvent::Stage, text("ramp-up"))]);
        assert_eq!(look(Phase::RampUp, None), []);
        assert_eq!(look(Phase::RampUp, Some("warm")), [(ScriptEvent::Stage, text("warm"))]);
        assert_eq!(
            look(Phase::Steady, None),
            [(ScriptEvent::Stage, text("steady")), (ScriptEvent::SpawningComplete, Value::Int(7))]
        );
        assert_eq!(look(Phase::RampDown, None).len(), 1);
        assert_eq!(look(Phase::Steady, None).len(), 1, "all users have run before");
    }
}
