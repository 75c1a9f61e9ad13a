//! The agents of a distributed run: which were lost, and how each kept up, in words.
//!
//! Pure. Owns their wording. Text of the run in it is not escaped.

use super::finding::{Finding, plural};
use super::warnings::{Warning, cores, share};
use crate::metrics::{
    AgentLoss, AgentState, AgentStats, Blame, CPU_LIMIT, GeneratorPoint, GeneratorStats, LATENESS_LIMIT,
    Saturation, Snapshot,
};
use crate::plan::{EndedBy, RunRecord};
use crate::text::{cut_middle, format, format_clock};

/// Losses that are findings of their own.
const MOST_LOST: usize = 2;

/// Agents that a sentence names.
const MOST_NAMED: usize = 3;

/// Columns of a name in a sentence.
const NAME_COLUMNS: usize = 40;

/// The agents that a table has room for: all, or those with problems first, in their order. The others are counted.
pub(crate) fn shown(agents: &[AgentStats], most: usize) -> (Vec<&AgentStats>, usize) {
    let mut places: Vec<usize> = (0..agents.len()).collect();
    places.sort_by_key(|&place| !has_problem(&agents[place]));
    places.truncate(most);
    places.sort_unstable();
    (places.into_iter().map(|place| &agents[place]).collect(), agents.len().saturating_sub(most))
}

/// Whether something about it makes figures doubtful.
pub(crate) fn has_problem(agent: &AgentStats) -> bool {
    agent.state == AgentState::Lost || agent.is_saturated() || agent.dropped_intervals > 0
}

/// `agents 3, 1 lost`, as the live display says it after the word; `None` when the run is in one process.
pub(crate) fn counted(agents: &[AgentStats]) -> Option<String> {
    let are = |state| agents.iter().filter(|agent| agent.state == state).count();
    let (lost, left) = (are(AgentState::Lost), are(AgentState::Left));
    let saturated = agents.iter().filter(|agent| agent.is_saturated()).count();
    let mut text = format::count(agents.len() as u64);
    for (count, what) in [(lost, "lost"), (left, "left"), (saturated, "saturated")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    (!agents.is_empty()).then_some(text)
}

/// Its state, with the times of its last loss: `running (lost 00:06-00:19)`.
pub(crate) fn state(agent: &AgentStats) -> String {
    match (agent.state, agent.losses.last()) {
        (state @ (AgentState::Lost | AgentState::Left), Some(AgentLoss { at, .. })) => {
            format!("{} at {}", state.as_str(), format_clock(*at))
        }
        (state, Some(AgentLoss { at, until: Some(until), .. })) => {
            format!("{} (lost {}-{})", state.as_str(), format_clock(*at), format_clock(*until))
        }
        (state, _) => state.as_str().to_owned(),
    }
}

/// The CPU that its process used: `12 % of 2 cores`; `None` if unknown.
pub(crate) fn cpu(agent: &AgentStats) -> Option<String> {
    let generator = agent.generator.as_ref()?;
    Some(format!("{} of {}", share(generator.cpu?), cores(generator)))
}

/// By how much its clock is ahead, and within what: `+2.00s ± 85µs`; `None` if unknown.
pub(crate) fn clock(agent: &AgentStats) -> Option<String> {
    let ahead = agent.clock_offset_us?;
    let sign = match ahead {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    let within = agent.clock_within_us.map(|us| format!(" ± {}", format::latency(us)));
    Some(format!("{sign}{}{}", format::latency(ahead.unsigned_abs()), within.unwrap_or_default()))
}

/// How it kept up: `kept up`, or `saturated: 98 % of 2 cores`; `None` if unknown.
pub(crate) fn verdict(agent: &AgentStats) -> Option<String> {
    let generator = agent.generator.as_ref()?;
    generator.saturated()?;
    let causes: Vec<String> =
        generator.causes().into_iter().map(|cause| few_words(cause, generator)).collect();
    let causes = causes.join(", ");
    Some(match generator.blame() {
        None => "kept up".to_owned(),
        Some(Blame::Itself) => format!("saturated: {causes}"),
        Some(Blame::Quota) => format!("held up by its CPU quota: {causes}"),
        Some(Blame::Others) => format!("held up by other programs: {causes}"),
        Some(Blame::Unknown) => format!("held up: {causes}"),
    })
}

fn few_words(cause: Saturation, generator: &GeneratorStats) -> String {
    match cause {
        Saturation::Cpu { share: used, .. } => format!("{} of {}", share(used), cores(generator)),
        Saturation::Worker { share: used, .. } => format!("a thread at {} of a core", share(used)),
        Saturation::Throttled { periods, of } => {
            format!("stopped in {} of {} periods", format::count(periods), format::count(of))
        }
        Saturation::Late { percentile, us } => {
            format!("timer delay {} {}", percentile.name(), format::latency(us))
        }
    }
}

/// That agents are saturated now, and the worst of them with its figures; `None` if none is.
pub(crate) fn saturated_now(agents: &[AgentStats]) -> Option<String> {
    let now = |agent: &AgentStats| agent.generator.as_ref().map(|generator| generator.now);
    let is_now = |agent: &&AgentStats| {
        agent.state == AgentState::Running && now(agent).is_some_and(|now| now.is_saturated())
    };
    let saturated: Vec<&AgentStats> = agents.iter().filter(is_now).collect();
    let cpu = |agent: &AgentStats| now(agent).and_then(|now| now.cpu).unwrap_or(-1.0);
    let worst = saturated.iter().max_by(|a, b| cpu(a).total_cmp(&cpu(b)))?;
    let generator = worst.generator.as_ref()?;
    let GeneratorPoint { cpu, busiest_worker, lateness_p99_us, .. } = generator.now;
    let is_over = |share: &f64| *share > CPU_LIMIT;
    let mut facts = Vec::new();
    if let Some(cpu) = cpu.filter(is_over) {
        facts.push(format!("{} of {}", share(cpu), cores(generator)));
    } else if let Some(busy) = busiest_worker.filter(is_over) {
        facts.push(format!("a thread at {} of a core", share(busy)));
    }
    if let Some(p99_us) = lateness_p99_us.filter(|&us| u128::from(us) > LATENESS_LIMIT.as_micros()) {
        facts.push(format!("timer delay p99 {}", format::latency(p99_us)));
    }
    let what = if generator.now.is_held_up_by_others() { "held up by other programs" } else { "saturated" };
    let more = match saturated.len() - 1 {
        0 => String::new(),
        more => {
            format!("; so {} {}", if more == 1 { "is" } else { "are" }, plural(more as u64, "more agent"))
        }
    };
    Some(format!("{} is {what}: {}{more}", names(&[worst]), facts.join(", ")))
}

/// `agent 'a2'`.
pub(super) fn agent_named(name: &str) -> String {
    agents_named(&[name])
}

fn names(agents: &[&AgentStats]) -> String {
    agents_named(&agents.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>())
}

/// `agent 'a2'`, `agents 'a1' and 'a2'`, `agents 'a1', 'a2', 'a3' and 5 more`.
pub(super) fn agents_named(agents: &[&str]) -> String {
    let name = |name: &&str| format!("'{}'", cut_middle(name, NAME_COLUMNS, "…"));
    let mut named: Vec<String> = agents.iter().take(MOST_NAMED).map(name).collect();
    let last = match agents.len().saturating_sub(MOST_NAMED) {
        0 => named.pop(),
        more => Some(format!("{more} more")),
    };
    let last = last.unwrap_or_default();
    match named.len() {
        0 => format!("agent {last}"),
        _ => format!("agents {} and {last}", named.join(", ")),
    }
}

/// Who held up the generator for this reason: `agent 'a2'`; `None` when the run is in one process.
pub(super) fn held_up(snapshot: &Snapshot, blame: Blame) -> Option<String> {
    let held_up = with_blame(&snapshot.agents, blame);
    (!held_up.is_empty()).then(|| names(&held_up))
}

fn with_blame(agents: &[AgentStats], blame: Blame) -> Vec<&AgentStats> {
    let is_so = |agent: &&AgentStats| agent.generator.as_ref().and_then(GeneratorStats::blame) == Some(blame);
    agents.iter().filter(is_so).collect()
}

/// The warnings that figures include delays of agents: for each reason, the agents with their causes, and the remedy.
pub(super) fn saturated(agents: &[AgentStats]) -> Vec<Warning> {
    let warning = |blame: Blame| {
        let held_up = with_blame(agents, blame);
        let (is_one, who) = (held_up.len() == 1, names(&held_up));
        let was = if is_one { "was" } else { "were" };
        let its = if is_one { "its" } else { "their" };
        let (what, remedy) = match blame {
            Blame::Itself => (
                format!("{who} {was} saturated: latencies include {its} own delays"),
                "for reliable figures, reduce the load, use more agents, or give them more cores or threads",
            ),
            Blame::Quota => (
                format!("the CPU quota held up {who}: latencies include {its} own delays"),
                "for reliable figures, raise the quota, or reduce the load",
            ),
            Blame::Others => (
                format!("other programs held up {who}: latencies include {its} delays"),
                "for reliable figures, stop the other programs, or run each agent on a machine of its own",
            ),
            Blame::Unknown => (
                format!("{who} {was} held up: latencies include {its} own delays"),
                "the CPU was not used up then; a virtual machine may have been suspended",
            ),
        };
        let causes = held_up.iter().take(MOST_NAMED).filter_map(|agent| {
            let (generator, who) = (agent.generator.as_ref()?, names(&[agent]));
            let causes: Vec<String> =
                generator.causes().into_iter().map(|cause| few_words(cause, generator)).collect();
            let mut text = format!("{who}: {}", causes.join(", "));
            // What is late now and then may be so in no second of its own.
            if generator.saturated_seconds > 0 {
                let (over, all) =
                    (format::count(generator.saturated_seconds), plural(generator.seconds, "second"));
                text.push_str(&format!("; over a limit in {over} of {all}"));
            }
            Some(text)
        });
        let mut lines = vec![what];
        lines.extend(causes);
        lines.push(remedy.to_owned());
        (!held_up.is_empty()).then_some(lines)
    };
    [Blame::Itself, Blame::Quota, Blame::Others, Blame::Unknown].into_iter().filter_map(warning).collect()
}

/// The warnings that figures of agents are missing.
pub(super) fn missing(agents: &[AgentStats]) -> Vec<String> {
    let lost: Vec<&AgentStats> = agents.iter().filter(|agent| agent.state == AgentState::Lost).collect();
    let dropped: Vec<&AgentStats> = agents.iter().filter(|agent| agent.dropped_intervals > 0).collect();
    let mut texts = Vec::new();
    if !lost.is_empty() {
        texts.push(format!(
            "{} did not come back: what {} not reported is not counted",
            names(&lost),
            if lost.len() == 1 { "it had" } else { "they had" }
        ));
    }
    if !dropped.is_empty() {
        let seconds = dropped.iter().map(|agent| agent.dropped_intervals).sum();
        texts.push(format!(
            "{} had to drop {}: NATS could not be reached for too long, and the requests in them are not counted",
            names(&dropped),
            plural(seconds, "interval")
        ));
    }
    texts
}

/// That the run did not go on because of its agents, from the last loss on.
pub(super) fn ended(record: &RunRecord) -> Option<Finding> {
    let EndedBy::AgentsLost(reason) = record.ended_by() else { return None };
    let losses = record.snapshot.agents.iter().filter_map(|agent| agent.losses.last());
    let at = losses.filter(|loss| loss.until.is_none()).map(|loss| loss.at).max();
    Some(Finding { kind: "agents-lost", at, until: None, text: format!("the load ended: {reason}") })
}

/// The losses of agents, the first ones with their time.
pub(super) fn findings(agents: &[AgentStats]) -> Vec<Finding> {
    let mut all: Vec<(&AgentStats, &AgentLoss)> =
        agents.iter().flat_map(|agent| agent.losses.iter().map(move |loss| (agent, loss))).collect();
    all.sort_by_key(|(_, loss)| loss.at);
    let more = all.len().saturating_sub(MOST_LOST);
    let finding = |(index, (agent, loss)): (usize, &(&AgentStats, &AgentLoss))| {
        let has_left = agent.state == AgentState::Left && loss.until.is_none();
        let what = if has_left { "left the run" } else { "was lost" };
        let mut text = format!("{} {what}: {}", names(&[agent]), loss.reason);
        if index + 1 == MOST_LOST && more > 0 {
            text.push_str(&format!("; agents were lost {} after that", plural(more as u64, "more time")));
        }
        Finding { kind: "agent-lost", at: Some(loss.at), until: loss.until, text }
    };
    all.iter().take(MOST_LOST).enumerate().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fixture;

    #[test]
    fn the_saturated_agent_is_named_with_its_cause() {
        let run = fixture::distributed();
        let words: Vec<Option<String>> = run.agents.iter().map(verdict).collect();
        let words: Vec<Option<&str>> = words.iter().map(Option::as_deref).collect();
        assert_eq!(words, [Some("kept up"), Some("saturated: 98 % of 2 cores"), Some("kept up"), None]);
        let told = saturated(&run.agents);
        assert_eq!(
            told,
            [[
                "agent 'a2' was saturated: latencies include its own delays",
                "agent 'a2': 98 % of 2 cores; over a limit in 11 of 12 seconds",
                "for reliable figures, reduce the load, use more agents, or give them more cores or threads",
            ]]
        );
        // A percentile of the whole run can be over the limit without a second that is.
        let mut one = run.agents[1].clone();
        one.generator.as_mut().unwrap().saturated_seconds = 0;
        assert_eq!(saturated(&[one])[0][1], "agent 'a2': 98 % of 2 cores");
        let mut all = vec![run.agents[1].clone(); 5];
        all[4].name = "z".repeat(100);
        assert!(
            saturated(&all)[0][0].starts_with("agents 'a2', 'a2', 'a2' and 2 more were saturated"),
            "{:?}",
            saturated(&all)
        );
        assert!(saturated(&run.agents[..1]).is_empty() && saturated(&[]).is_empty());
    }

    #[test]
    fn a_delay_of_an_agent_is_blamed_on_who_used_its_machine() {
        let mut agent = fixture::distributed().agents.remove(0);
        let generator = agent.generator.as_mut().unwrap();
        generator.periods = Some((86, 83));
        assert_eq!(verdict(&agent).unwrap(), "held up by its CPU quota: stopped in 83 of 86 periods");
        let told = saturated(&[agent.clone(), agent]);
        assert!(
            told[0][0].starts_with("the CPU quota held up agents 'a1' and 'a1': latencies include their own"),
            "{told:?}"
        );
    }

    #[test]
    fn now_the_worst_of_those_that_are_saturated_is_named() {
        let mut run = fixture::distributed();
        assert_eq!(saturated_now(&run.agents), None, "they have done their part");
        run.agents.iter_mut().for_each(|agent| agent.state = AgentState::Running);
        assert_eq!(saturated_now(&run.agents).unwrap(), "agent 'a2' is saturated: 97 % of 2 cores");
        run.agents[0] = run.agents[1].clone();
        let told = saturated_now(&run.agents).unwrap();
        assert!(told.ends_with("; so is 1 more agent"), "{told}");
    }

    #[test]
    fn a_lost_agent_is_a_finding_with_its_times_and_a_warning_when_it_stays_away() {
        let mut run = fixture::distributed();
        let sentences =
            |agents: &[AgentStats]| findings(agents).iter().map(Finding::sentence).collect::<Vec<_>>();
        assert_eq!(
            sentences(&run.agents),
            [
                "00:02-00:05 agent 'a1' was lost: nothing was heard of it for 3.2 s",
                "00:06 agent 'a3' was lost: nothing was heard of it for 4.1 s"
            ]
        );
        assert_eq!(state(&run.agents[0]), "done (lost 00:02-00:05)");
        assert_eq!(state(&run.agents[2]), "lost at 00:06");
        assert_eq!(counted(&run.agents).unwrap(), "4, 1 lost, 1 saturated");
        assert_eq!(counted(&[]), None);
        assert_eq!(
            missing(&run.agents),
            ["agent 'a3' did not come back: what it had not reported is not counted"]
        );
        let told = AgentLoss { reason: "it was told to end".to_owned(), ..run.agents[2].losses[0].clone() };
        let left = AgentStats { state: AgentState::Left, losses: vec![told], ..run.agents[2].clone() };
        assert_eq!(state(&left), "left at 00:06");
        assert_eq!(counted(std::slice::from_ref(&left)).unwrap(), "1, 1 left");
        assert!(missing(std::slice::from_ref(&left)).is_empty(), "it has told of all that it counted");
        assert_eq!(sentences(&[left]), ["00:06 agent 'a3' left the run: it was told to end"]);
        run.agents[2].losses.push(AgentLoss { at: Duration::from_secs(9), ..AgentLoss::default() });
        assert!(sentences(&run.agents)[1].ends_with("; agents were lost 1 more time after that"));
        run.agents[0].dropped_intervals = 12;
        assert!(missing(&run.agents)[1].starts_with("agent 'a1' had to drop 12 intervals: "));
    }

    #[test]
    fn what_is_not_known_of_an_agent_is_not_zero() {
        let run = fixture::distributed();
        let clocks: Vec<Option<String>> = run.agents.iter().map(clock).collect();
        let clocks: Vec<Option<&str>> = clocks.iter().map(Option::as_deref).collect();
        assert_eq!(clocks, [Some("0 ± 85µs"), Some("+2.00s ± 190µs"), Some("−1.5ms ± 110µs"), None]);
        assert_eq!((cpu(&run.agents[3]), cpu(&run.agents[0]).as_deref()), (None, Some("12 % of 2 cores")));
    }

    #[test]
    fn a_table_without_room_has_the_agents_with_problems_in_their_order() {
        let agents = fixture::distributed().agents;
        let names = |most| {
            let (shown, more) = shown(&agents, most);
            (shown.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), more)
        };
        assert_eq!(names(10), (vec!["a1", "a2", "a3", "a4"], 0));
        assert_eq!(names(2), (vec!["a2", "a3"], 2));
        assert_eq!(names(3), (vec!["a1", "a2", "a3"], 1));
    }
}
