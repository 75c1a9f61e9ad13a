//! What makes the figures of a run unreliable or incomplete. The summary and the report use the same wording.
//!
//! Leaves what the target did to `findings`. Pure.

use super::agents;
use super::finding::plural;
use super::thresholds::steady_hint;
use crate::metrics::{
    Blame, CPU_LIMIT, GeneratorStats, LATENESS_LIMIT, LONGEST_MESSAGE, LONGEST_NAME, MachineShare, NotEnded,
    Percentile, Saturation, Snapshot,
};
use crate::text::format;

/// One warning: the first line states it, the others add detail. Text from the run is not escaped.
pub(crate) type Warning = Vec<String>;

/// All warnings of a run, most severe first.
pub(crate) fn warnings(snapshot: &Snapshot) -> Vec<Warning> {
    let mut all: Vec<Warning> = match &*snapshot.agents {
        [] => saturated(&snapshot.generator).into_iter().collect(),
        agents => agents::saturated(agents),
    };
    all.extend(agents::missing(&snapshot.agents).into_iter().map(|text| vec![text]));
    all.extend(snapshot.notes.iter().map(|note| vec![note.clone()]));
    all.extend(late_responses(snapshot).map(|text| vec![text]));
    all.extend(snapshot.thresholds.iter().filter_map(steady_hint).map(|text| vec![text]));
    if snapshot.interrupted_requests > 0 {
        let are = if snapshot.interrupted_requests == 1 { "is" } else { "are" };
        let given_up = plural(snapshot.interrupted_requests, "request");
        all.push(vec![format!("{given_up} had no response when the run stopped and {are} not counted")]);
    }
    if let Some(NotEnded { count, name, .. }) = &snapshot.not_ended {
        let such = match count {
            1 => {
                format!("a transaction that metrics::start began was never ended and is not counted: {name}")
            }
            count => format!(
                "{} transactions that metrics::start began were never ended and are not counted, {name} among them",
                format::count(*count)
            ),
        };
        all.push(vec![such]);
    }
    if snapshot.series_folded {
        all.push(vec![
            "too many distinct request names: new ones are counted as (other)".to_owned(),
            "give requests with IDs in their path a common name".to_owned(),
        ]);
    }
    if snapshot.groups_folded {
        all.push(vec![
            "too many different failures, script errors or checks: new ones are counted as (other)"
                .to_owned(),
            "leave IDs and bodies out of the messages of fail and throw and out of the names of checks"
                .to_owned(),
        ]);
    }
    if snapshot.texts_cut > 0 {
        let times = match snapshot.texts_cut {
            1 => "once".to_owned(),
            times => format!("{} times", format::count(times)),
        };
        all.push(vec![
            format!("a name or message was too long and was cut, {times}; such a text ends with …"),
            format!(
                "names and tags have at most {LONGEST_NAME} bytes, messages {}",
                format::count(LONGEST_MESSAGE as u64)
            ),
        ]);
    }
    all
}

/// The warning that figures include delays of the generator, with the causes, who they are due to, and the remedy.
fn saturated(generator: &GeneratorStats) -> Option<Warning> {
    let (what, remedy) = match generator.blame()? {
        Blame::Itself => (
            "the load generator was saturated: latencies include its own delays",
            "for reliable figures, reduce the load, add cores or threads, or use several machines",
        ),
        Blame::Quota => (
            "the CPU quota held up the load generator: latencies include its own delays",
            "for reliable figures, raise the quota, or reduce the load",
        ),
        Blame::Others => (
            "the machine was busy with other programs: latencies include delays of the load generator",
            "for reliable figures, stop the other programs, or run the load generator on a machine of its own",
        ),
        Blame::Unknown => (
            "the load generator was held up: latencies include its own delays",
            "the CPU was not used up then; a virtual machine may have been suspended",
        ),
    };
    let mut lines = vec![what.to_owned()];
    lines.extend(generator.causes().into_iter().map(|cause| words(cause, generator)));
    lines.extend(generator.machine_when_late.or(generator.machine).map(machine));
    lines.push(remedy.to_owned());
    Some(lines)
}

fn machine(machine: MachineShare) -> String {
    format!("the machine's CPU was {} busy, of which rhaid used {}", share(machine.busy), share(machine.own))
}

fn words(cause: Saturation, generator: &GeneratorStats) -> String {
    let above = |seconds| {
        let (seconds, all) = (format::count(seconds), format::count(generator.seconds));
        format!("above {} in {seconds} of {all} seconds", share(CPU_LIMIT))
    };
    match cause {
        Saturation::Cpu { share: used, seconds } => {
            format!("it used {} of {}, {}", share(used), cores(generator), above(seconds))
        }
        Saturation::Worker { share: used, seconds } => format!(
            "its busiest thread (of {}) used {} of a core, {}",
            generator.threads,
            share(used),
            above(seconds)
        ),
        Saturation::Throttled { periods, of } => format!(
            "its CPU quota of {} stopped it in {} of {} periods",
            cores(generator),
            format::count(periods),
            format::count(of)
        ),
        Saturation::Late { percentile, us } => format!(
            "its timers fired late: {} {}, limit {}",
            percentile.name(),
            format::latency(us),
            format::latency(LATENESS_LIMIT.as_micros() as u64)
        ),
    }
}

/// A sentence about response times far above service times because iterations started late.
fn late_responses(snapshot: &Snapshot) -> Option<String> {
    const NOTEWORTHY_US: u64 = 50_000;
    let (service, response, lag) = (snapshot.total.ok?, snapshot.total.response?, snapshot.iterations.lag?);
    let at = |percentile| (service.percentile_us(percentile), response.percentile_us(percentile));
    let differs =
        |&(service, response): &(u64, u64)| response > 2 * service && response - service > NOTEWORTHY_US;
    let (percentile, (service, response)) = [Percentile::P90, Percentile::P99]
        .into_iter()
        .map(|percentile| (percentile, at(percentile)))
        .find(|(_, pair)| differs(pair))?;
    (lag.percentile_us(percentile) > NOTEWORTHY_US).then(|| {
        format!(
            "iterations started late, so response times are longer than service times: {} is {} from when an iteration was due \
             (http_resp_time), {} from when the request was sent (http_req_duration)",
            percentile.name(),
            format::latency(response),
            format::latency(service)
        )
    })
}

/// A share as a whole percentage.
pub(crate) fn share(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// How many cores there are.
pub(crate) fn cores(generator: &GeneratorStats) -> String {
    match generator.cores {
        1.0 => "1 core".to_owned(),
        cores => format!("{} cores", (cores * 100.0).round() / 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_run_like_others_has_none() {
        assert!(warnings(&fixture::finished()).is_empty() && warnings(&fixture::empty()).is_empty());
    }

    #[test]
    fn a_saturated_generator_says_why_and_what_helps() {
        let mut snapshot = fixture::finished();
        snapshot.generator.cpu = Some(0.957);
        snapshot.generator.busy_seconds = (12, 12);
        assert_eq!(
            warnings(&snapshot),
            [[
                "the load generator was saturated: latencies include its own delays",
                "it used 96 % of 2 cores, above 90 % in 12 of 12 seconds",
                "for reliable figures, reduce the load, add cores or threads, or use several machines",
            ]]
        );
    }

    #[test]
    fn a_delay_that_others_are_to_blame_for_is_not_called_a_saturated_generator() {
        let mut snapshot = fixture::finished();
        let generator = &mut snapshot.generator;
        generator.cores = 0.5;
        generator.periods = Some((86, 83));
        let told = warnings(&snapshot);
        assert_eq!(told[0][0], "the CPU quota held up the load generator: latencies include its own delays");
        assert_eq!(told[0][1], "its CPU quota of 0.5 cores stopped it in 83 of 86 periods");
        assert!(told[0].last().unwrap().contains("raise the quota"), "{told:?}");
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut snapshot = fixture::finished();
        snapshot.notes = vec!["7 of 10 samples are missing from s.json: they came faster".to_owned()];
        snapshot.interrupted_requests = 1_200;
        snapshot.series_folded = true;
        snapshot.groups_folded = true;
        snapshot.texts_cut = 1_000;
        let first: Vec<String> =
            warnings(&snapshot).into_iter().map(|mut warning| warning.remove(0)).collect();
        assert_eq!(first.len(), 5, "{first:?}");
        assert_eq!(first[0], snapshot.notes[0]);
        assert!(first[1].starts_with("1,200 requests had no response"), "{first:?}");
        assert!(first[4].contains("was cut, 1,000 times"), "{first:?}");
    }
}
