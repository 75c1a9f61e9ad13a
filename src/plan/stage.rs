//! Stages and rates as people write them: `30s:100`, `warm-up=1m:50/s`, `137/s`, `600/m`. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::parse_duration;

/// A stage of the load, at whose end the target is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Duration; 0 jumps to the target.
    pub duration: Duration,
    /// Users, or iterations per second, at the end.
    pub target: f64,
    /// Name in results and thresholds.
    pub name: Option<String>,
}

/// The stages of a whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStages {
    /// The stages.
    pub stages: Vec<Stage>,
    /// Whether targets are iterations per second rather than users.
    pub are_rates: bool,
}

/// The problems of a list of stages.
pub(super) fn check_stages(stages: &[Stage], say: &mut impl FnMut(String)) {
    if stages.is_empty() {
        say("stages is empty: at least one stage is needed".to_owned());
    } else if stages.iter().all(|stage| stage.duration.is_zero()) {
        say("the duration of every stage is 0: nothing would run".to_owned());
    }
    for (index, stage) in stages.iter().enumerate() {
        if !(stage.target.is_finite() && stage.target >= 0.0) {
            say(format!("stage {}: target is {}; it must be 0 or more", index + 1, stage.target));
        }
    }
}

/// Parses a rate such as `50`, `50/s`, `600/m`, `3600/h` or `5/10s`; returns it per second.
///
/// # Errors
/// A message that quotes the text and names the accepted forms.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    let wrong = |why: &str| format!("'{text}' is not a rate{why}; write it like 50, 137/s, 600/m or 5/10s");
    let (number, unit) = match text.trim().split_once('/') {
        Some((number, unit)) => (number.trim(), unit.trim()),
        None => (text.trim(), "s"),
    };
    let number: f64 = number.parse().map_err(|_| wrong(""))?;
    let unit = match unit {
        "s" | "sec" | "second" => 1.0,
        "m" | "min" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        other => parse_duration(other).map_err(|_| wrong(""))?.as_secs_f64(),
    };
    if !number.is_finite() || unit <= 0.0 {
        return Err(wrong(""));
    }
    if number < 0.0 {
        return Err(wrong(": it is negative"));
    }
    Ok(number / unit)
}

/// Parses stages such as `30s:100,1m:100,10s:0`, each with an optional name (`warm-up=30s:100`). Targets with a
/// unit (`30s:100/s`) are rates; otherwise they are users.
///
/// # Errors
/// Which stage is invalid, and why.
pub fn parse_stages(text: &str) -> Result<RunStages, String> {
    let mut stages = Vec::new();
    let mut rates = 0;
    for (index, part) in text.split(',').enumerate() {
        let part = part.trim();
        let number = index + 1;
        let (name, rest) = match part.split_once('=') {
            Some((name, rest)) => (Some(name.trim().to_owned()), rest),
            None => (None, part),
        };
        let Some((duration, target)) = rest.split_once(':') else {
            return Err(format!(
                "stage {number} ('{part}') has no target; write stages like 30s:100,1m:100,10s:0 (time:target)"
            ));
        };
        let duration = parse_duration(duration).map_err(|error| format!("stage {number}: {error}"))?;
        let target = target.trim();
        rates += usize::from(target.contains('/'));
        let target = if target.contains('/') {
            parse_rate(target).map_err(|error| format!("stage {number}: {error}"))?
        } else {
            target
                .parse::<f64>()
                .map_err(|_| format!("stage {number}: the target '{target}' is not a number"))?
        };
        stages.push(Stage { duration, target, name });
    }
    if rates != 0 && rates != stages.len() {
        return Err("some targets are rates (100/s) and some are users (100); use only one kind".to_owned());
    }
    Ok(RunStages { are_rates: rates > 0, stages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units() {
        assert_eq!(parse_rate("137/s"), Ok(137.0));
        assert_eq!(parse_rate("50"), Ok(50.0));
        assert_eq!(parse_rate("600/m"), Ok(10.0));
        assert_eq!(parse_rate("5 / 10s"), Ok(0.5));
        for wrong in ["-1/s", "fast", "1/parsec", "1/0s", "", "NaN"] {
            let error = parse_rate(wrong).unwrap_err();
            assert!(error.contains(wrong) && error.contains("600/m"), "{error}");
        }
    }

    #[test]
    fn stages_are_times_and_targets() {
        let read = parse_stages("warm=10s:20, 1m:20,5s:0").unwrap();
        assert!(!read.are_rates);
        let targets: Vec<f64> = read.stages.iter().map(|stage| stage.target).collect();
        assert_eq!(targets, [20.0, 20.0, 0.0]);
        assert_eq!(read.stages[0].name.as_deref(), Some("warm"));
        assert_eq!(read.stages[1].duration, Duration::from_secs(60));
        let rates = parse_stages("10s:600/m").unwrap();
        assert!(rates.are_rates);
        assert_eq!(rates.stages[0].target, 10.0);
    }

    #[test]
    fn wrong_stages_are_named() {
        let check = |text: &str, expected: &str| {
            let error = parse_stages(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("10s", "stage 1 ('10s') has no target");
        check("10s:5,5 parsecs:3", "stage 2: '5 parsecs' is not a duration");
        check("10s:many", "'many' is not a number");
        check("10s:5,10s:5/s", "use only one kind");
    }
}
