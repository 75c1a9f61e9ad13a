//! What became of the samples that a run wrote down. Pure data.

use serde::{Deserialize, Serialize};

/// One file of samples at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleFileStats {
    /// Its name.
    pub name: String,
    /// Samples in it: requests, iterations, checks and so on; each has one line or more.
    pub written: u64,
    /// Samples that are not in it.
    pub lost: u64,
    /// Why it takes no more, or why its end may be missing; `None` when it is only too slow, or all is well.
    pub problem: Option<String>,
}

impl SampleFileStats {
    /// What a person has to know, if there is anything.
    pub fn warning(&self) -> Option<String> {
        let SampleFileStats { name, written, lost, problem } = self;
        let all = written + lost;
        match problem {
            Some(problem) if *lost > 0 => {
                Some(format!("{lost} of {all} samples are not in {name}: {problem}"))
            }
            Some(problem) => Some(format!("{name}: {problem}")),
            None if *lost > 0 => Some(format!(
                "{lost} of {all} samples are not in {name}: they came faster than they could be written"
            )),
            None => None,
        }
    }
}
