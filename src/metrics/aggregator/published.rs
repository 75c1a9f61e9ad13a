//! The figures as everybody sees them: a snapshot of all that was counted so far.

use std::sync::Arc;
use std::time::Duration;

use super::{Aggregator, RecentInterval, Scenario, Tick};
use crate::metrics::agents::AgentStats;
use crate::metrics::blocking::BlockingStats;
use crate::metrics::recorder::TRANSACTION;
use crate::metrics::sample::Protocol;
use crate::metrics::snapshot::{
    AGGREGATED, EndpointStats, Phase, PhaseSpan, RecentStats, ScenarioStats, Snapshot, TagStats,
};
use crate::metrics::totals::{IntervalTotals, per_second};

impl Aggregator {
    /// The phase and stage that took most of an interval: a second that ends with its phase is one of that phase.
    pub(super) fn most_of(&self, from: Duration, tick: &Tick) -> (Phase, Option<Arc<str>>) {
        let within =
            |span: &&PhaseSpan| span.to.unwrap_or(tick.at).min(tick.at).saturating_sub(span.from.max(from));
        let recent = self.spans.iter().rev().take_while(|span| span.to.is_none_or(|to| to > from));
        let longest = recent.max_by_key(within).filter(|span| !within(span).is_zero());
        longest.map_or_else(|| (tick.phase, tick.stage.clone()), |span| (span.phase, span.stage.clone()))
    }

    pub(super) fn snapshot(&mut self, tick: Tick) -> Snapshot {
        self.settle();
        let active = tick.at.saturating_sub(tick.paused);
        let mut endpoints: Vec<EndpointStats> = self
            .endpoints
            .iter_mut()
            .map(|((protocol, method, name), totals)| totals.stats(*protocol, method, name, active))
            // A name that was only seen in requests which are not counted, as with `record: false`, is no endpoint.
            .filter(|stats| stats.requests != 0)
            .collect();
        endpoints.sort_by(|a, b| (&a.name, &a.method, a.protocol).cmp(&(&b.name, &b.method, b.protocol)));
        let (empty, all): (Arc<str>, Arc<str>) = ("".into(), AGGREGATED.into());
        let method: Arc<str> = TRANSACTION.into();
        let mut transactions: Vec<EndpointStats> = self
            .transactions
            .iter_mut()
            .map(|(name, totals)| totals.stats(Protocol::Call, &method, name, active))
            .collect();
        transactions.sort_by(|a, b| a.name.cmp(&b.name));
        let transaction_total = (!transactions.is_empty())
            .then(|| self.transaction_total.stats(Protocol::Call, &method, &all, active));
        let mut protocols: Vec<EndpointStats> = self
            .protocols
            .iter_mut()
            .map(|(protocol, totals)| totals.stats(*protocol, &empty, &all, active))
            .filter(|stats| stats.requests != 0)
            .collect();
        protocols.sort_by_key(|stats| stats.protocol);
        let total = self.total.stats(Protocol::Http, &empty, &all, active);
        if let (true, true, Some(protocol)) = (protocols.is_empty(), total.requests > 0, self.only_protocol) {
            protocols.push(EndpointStats { protocol, ..total.clone() });
        }
        Snapshot {
            started_at: self.started_at,
            elapsed: tick.at,
            phase: tick.phase,
            stage: tick.stage.clone(),
            users: tick.users,
            users_target: tick.users_target,
            lever: tick.lever,
            users_max: self.peaks.users(),
            in_flight: tick.in_flight,
            total,
            protocols,
            endpoints,
            scenarios: self
                .scenarios
                .iter_mut()
                .map(|(name, Scenario { iterations, requests })| {
                    let planned =
                        tick.planned.iter().find(|(known, _)| known == name).map(|(_, count)| *count);
                    ScenarioStats {
                        name: name.clone(),
                        iterations: iterations.stats(planned),
                        requests: requests.stats(Protocol::Http, &empty, name, active),
                    }
                })
                .collect(),
            tags: self
                .tags
                .iter_mut()
                .map(|((key, value), totals)| TagStats {
                    key: key.clone(),
                    value: value.clone(),
                    requests: totals.stats(Protocol::Http, key, value, active),
                })
                .filter(|tag| tag.requests.requests != 0)
                .collect(),
            recent: self.recent_stats(),
            peak_rate: self.peaks.rate(),
            phases: self.phases.summaries(),
            iterations: self.iterations.stats(tick.iterations_planned()),
            spans: self.spans.clone(),
            notes: Vec::new(),
            samples: Vec::new(),
            checks: self.groups.checks.clone(),
            check_groups: self.groups.check_groups.all().to_vec(),
            transactions,
            transaction_total,
            custom: self.custom.stats(active.as_secs_f64()),
            marks: self.marks.clone(),
            failures: self.groups.failures(),
            script_errors: self.groups.script_errors(),
            interrupted_requests: tick.interrupted_requests,
            series_folded: self.series_folded,
            groups_folded: self.groups.folded,
            texts_cut: self.texts_cut,
            not_ended: self.not_ended.clone(),
            generator: AgentStats::worst(&self.agents).unwrap_or(self.generator.stats()).clone(),
            agents: self.agents.clone(),
            blocking: BlockingStats::default(),
            capacity: None,
            thresholds: self.thresholds.stats(),
            submetrics: self.thresholds.submetrics(),
            history: self.history.clone(),
            intervals: self.intervals.clone(),
            resources: self.resources.clone(),
        }
    }

    fn recent_stats(&self) -> RecentStats {
        let length: Duration = self.recent.iter().map(|interval| interval.length).sum();
        let mut sum = IntervalTotals::default();
        for RecentInterval { requests, .. } in &self.recent {
            sum.requests += requests.requests;
            sum.failures += requests.failures;
            sum.ok.merge(&requests.ok);
        }
        RecentStats {
            seconds: length.as_secs_f64().round() as u32,
            rate: (length > Duration::ZERO).then(|| per_second(sum.requests.max(0) as u64, length)),
            failed_share: (sum.requests > 0).then(|| sum.failures.max(0) as f64 / sum.requests as f64),
            ok: sum.ok.summary(),
        }
    }
}
