//! How well the load generator kept up: over the whole run as facts, right now as a warning.

use super::look::Look;
use crate::analysis::warnings::{cores, share};
use crate::metrics::{CPU_LIMIT, GeneratorStats, LATENESS_LIMIT, Percentile, Snapshot};

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
    if facts.is_empty() { Vec::new() } else { vec![format!("   generator   {}", facts.join(", "))] }
}

/// Why the generator was saturated in the last second, on one line; `None` if it was not.
///
/// For the live display; the whole run is judged separately.
pub fn generator_warning(snapshot: &Snapshot, look: Look) -> Option<String> {
    let (generator, now) = (&snapshot.generator, snapshot.generator.now);
    if !now.is_saturated() {
        return None;
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
    let what = match now.machine {
        Some(machine) if now.is_held_up_by_others() => format!(
            "the machine is busy with other programs ({}, rhaid {})",
            share(machine.busy),
            share(machine.own)
        ),
        _ => "the load generator is saturated".to_owned(),
    };
    Some(format!("{what}: {}", facts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::metrics::GeneratorPoint;

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
}
