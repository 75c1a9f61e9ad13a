//! Environment variables as scripts see them: those of the process, or those that came with a run from another machine.
//!
//! Owns where they come from, and which of them a script asks for while it is loaded. Invariant: a script that came from another
//! machine never sees a variable of this one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// What came with the run; with `None` a variable that is not set there. Without any, those of the process count.
    sent: Option<BTreeMap<String, Option<String>>>,
    /// Names that a script asked for while it was loaded.
    asked: Mutex<BTreeSet<String>>,
}

impl Environment {
    /// That of a run from another machine.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "sent in a cluster only"))]
    pub(crate) fn sent(variables: BTreeMap<String, Option<String>>) -> Environment {
        Environment { sent: Some(variables), asked: Mutex::default() }
    }

    /// The value of a variable.
    ///
    /// # Errors
    /// When it should have come with the run and did not, in words.
    pub(crate) fn get(&self, name: &str, is_loading: bool) -> Result<Option<String>, String> {
        if is_loading {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
        let Some(sent) = &self.sent else { return Ok(std::env::var(name).ok()) };
        sent.get(name).cloned().ok_or_else(|| {
            format!(
                "the variable {name} did not come with the run: a run on several machines sends the variables that a script \
                 asks for by a literal name, or while it is loaded; set it with -e {name}=VALUE"
            )
        })
    }

    /// What a script asked for while it was loaded.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "sent in a cluster only"))]
    pub(crate) fn asked(&self) -> BTreeSet<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_with_the_run_hides_the_process() {
        let sent = [("RHAID_A".to_owned(), Some("1".to_owned())), ("PATH".to_owned(), None)];
        let environment = Environment::sent(sent.into());
        assert_eq!(environment.get("RHAID_A", false), Ok(Some("1".to_owned())));
        assert_eq!(environment.get("PATH", false), Ok(None), "set here, and not there");
        let error = environment.get("HOME", false).unwrap_err();
        assert!(
            error.contains("HOME did not come with the run") && error.contains("-e HOME=VALUE"),
            "{error}"
        );
    }

    #[test]
    fn names_are_noted_while_a_script_is_loaded() {
        let environment = Environment::default();
        assert!(environment.get("PATH", true).unwrap().is_some());
        environment.get("HOME", false).unwrap();
        assert_eq!(environment.asked(), ["PATH".to_owned()].into());
    }
}
