//! The outcome of writing samples to files. Pure data.

use serde::{Deserialize, Serialize};

use crate::text::format_count;

/// One file of samples at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
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
        let missing = format!(
            "{} of {} samples are missing from {name}",
            format_count(*lost),
            format_count(written.saturating_add(*lost))
        );
        match problem {
            Some(problem) if *lost > 0 => Some(format!("{missing}: {problem}")),
            Some(problem) => Some(format!("{name}: {problem}")),
            None if *lost > 0 => Some(format!("{missing}: they arrived faster than they could be written")),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_in_figures_that_can_be_read() {
        let lost = |written, lost| SampleFileStats { name: "s.csv".into(), written, lost, problem: None };
        assert_eq!(
            lost(50, 26_830).warning().unwrap(),
            "26,830 of 26,880 samples are missing from s.csv: they arrived faster than they could be written"
        );
        let full = SampleFileStats { problem: Some("the disk is full".into()), ..lost(0, 1_000) };
        assert_eq!(
            full.warning().unwrap(),
            "1,000 of 1,000 samples are missing from s.csv: the disk is full"
        );
        assert_eq!(lost(1_000, 0).warning(), None);
    }
}
