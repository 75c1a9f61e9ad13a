//! How well the load generator kept up: over the whole run as facts, right now as a warning.

use super::look::Look;
use crate::analysis::agents::saturated_now;
use crate::analysis::warnings::{cores, share};
use crate::metrics::{CPU_LIMIT, GeneratorStats, LATENESS_LIMIT, MachineShare, Percentile, Snapshot};

/// Its resource usage on one line; empty if unknown.
pub(super) fn facts(generator: &GeneratorStats, look: Look) -> Vec<String> {
    let mut facts = Vec::new();
    if let (Some(cpu), Some(most)) = (generator.cpu, generator.cpu_max) {
        let (cpu, most, cores) = (share(cpu), share(most), cores(generator));
        facts.push(format!("{cpu} of {cores} (peak {most})"));
    }
    if let Some(lateness) = &generator.lateness {
        facts.push(format!("timer delay p99 {}", look.latency(lateness.percentile_us(Percentile::P99))));
    }
    let mut lines = Vec::new();
    if !facts.is_empty() {
        lines.push(format!("   generator   {}", facts.join(", ")));
    }
    lines.extend(generator.machine.filter(|machine| machine.is_taken_by_others()).map(|machine| {
        let (busy, own) = (share(machine.busy), share(machine.own));
        format!(
            "               the machine was {busy} busy, rhaid used {own}: something else on it took the CPU"
        )
    }));
    lines
}

/// Why the generator was saturated in the last second, or that something else than it and the target has taken the CPU, on
/// one line; `None` if neither is so.
///
/// For the live display; the whole run is judged separately. In a distributed run, the agent is named.
pub fn generator_warning(snapshot: &Snapshot, look: Look) -> Option<String> {
    if !snapshot.agents.is_empty() {
        return saturated_now(&snapshot.agents).map(|text| look.user(&text));
    }
    let (generator, now) = (&snapshot.generator, snapshot.generator.now);
    if !now.is_saturated() {
        return now.machine.filter(|machine| machine.is_taken_by_others()).and_then(|machine| {
            // What the target takes is the load that was asked for.
            (target_share(snapshot) < machine.busy / 2.0).then(|| taken(machine))
        });
    }
    let mut facts = Vec::new();
    match (now.cpu, now.busiest_worker) {
        (Some(cpu), _) if cpu > CPU_LIMIT => facts.push(format!("{} of {}", share(cpu), cores(generator))),
        (_, Some(busy)) if busy > CPU_LIMIT => facts.push(format!("a thread at {} of a core", share(busy))),
        _ => {}
    }
    if let Some(p99_us) = now.lateness_p99_us.filter(|&us| u128::from(us) > LATENESS_LIMIT.as_micros()) {
        facts.push(format!("timer delay p99 {}", look.latency(p99_us)));
    }
    let facts = facts.join(", ");
    Some(match now.machine {
        Some(machine) if now.is_held_up_by_others() => format!("{} ({facts})", taken(machine)),
        _ => format!("the load generator is saturated: {facts}"),
    })
}

fn taken(machine: MachineShare) -> String {
    let (busy, own) = (share(machine.busy), share(machine.own));
    format!("the machine is {busy} busy, rhaid uses {own}: something else on it takes the CPU")
}

/// The share of this machine's CPU that the target used last; 0 if it is on another one, or not known.
fn target_share(snapshot: &Snapshot) -> f64 {
    let resources = &snapshot.resources;
    let Some(info) = resources.info.as_deref().filter(|info| info.target_machine.is_none()) else {
        return 0.0;
    };
    let newest = resources.samples.since(resources.samples.len().saturating_sub(1));
    let percent = newest.first().and_then(|sample| sample.target.as_ref()?.cpu).unwrap_or(0.0);
    percent / 100.0 / info.cores.max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::fixture;
    use crate::metrics::{GeneratorPoint, ProcessUse, ResourceInfo, ResourceSample};

    const LOOK: Look = Look { width: 80, unicode: true, color: false };

    fn saturated() -> Snapshot {
        let mut snapshot = fixture::finished();
        snapshot.generator = GeneratorStats {
            cpu: Some(0.957),
            cpu_max: Some(0.99),
            busy_seconds: (12, 12),
            now: GeneratorPoint {
                cpu: Some(0.98),
                busiest_worker: Some(0.97),
                lateness_p99_us: Some(23_400),
                machine: None,
            },
            ..snapshot.generator
        };
        snapshot
    }

    #[test]
    fn a_run_without_data_says_nothing() {
        let nothing = GeneratorStats::default();
        assert!(facts(&nothing, LOOK).is_empty());
        assert_eq!(generator_warning(&fixture::empty(), LOOK), None);
    }

    #[test]
    fn one_at_its_limit_says_why() {
        assert_eq!(
            generator_warning(&saturated(), LOOK).unwrap(),
            "the load generator is saturated: 98 % of 2 cores, timer delay p99 23.4ms"
        );
    }

    #[test]
    fn one_that_keeps_up_has_its_figures() {
        let snapshot = fixture::finished();
        assert_eq!(
            facts(&snapshot.generator, LOOK),
            ["   generator   12 % of 2 cores (peak 31 %), timer delay p99 90µs"]
        );
        assert_eq!(generator_warning(&snapshot, LOOK), None);
    }

    #[test]
    fn a_busy_neighbour_is_named_and_the_target_is_none() {
        let mut snapshot = fixture::finished();
        let machine = Some(MachineShare { busy: 0.99, own: 0.02 });
        snapshot.generator.machine = machine;
        snapshot.generator.now = GeneratorPoint { machine, ..snapshot.generator.now };
        let told = "the machine is 99 % busy, rhaid uses 2 %: something else on it takes the CPU";
        assert_eq!(generator_warning(&snapshot, LOOK).unwrap(), told);
        assert_eq!(
            facts(&snapshot.generator, LOOK)[1],
            "               the machine was 99 % busy, rhaid used 2 %: something else on it took the CPU"
        );
        snapshot.generator.now.lateness_p99_us = Some(23_400);
        assert_eq!(generator_warning(&snapshot, LOOK).unwrap(), format!("{told} (timer delay p99 23.4ms)"));
        snapshot.generator.now.lateness_p99_us = None;
        // One of two cores is more than half of what is busy.
        snapshot.resources.info = Some(Arc::new(ResourceInfo { cores: 2, ..ResourceInfo::default() }));
        let target = ProcessUse { cpu: Some(104.0), ..ProcessUse::default() };
        let at = Duration::from_secs(1);
        snapshot.resources.add(ResourceSample { at, target: Some(target), ..ResourceSample::default() });
        assert_eq!(generator_warning(&snapshot, LOOK), None);
    }
}
