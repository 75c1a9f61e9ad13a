//! The seconds of a run: what each of them comes to, and telling the script which phase it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::worker_loop::Command;
use super::Driver;
use crate::metrics::{MetricKind, Phase, Sample, Snapshot, Tick};
use crate::script::{Level, ScriptEvent, Value};
use crate::system::process_cpu;
use crate::vu::Interval;

impl Driver {
    /// Tells the listeners of the script when the phase or the stage is another one.
    pub(super) async fn announce_phase(&mut self) {
        let now = Instant::now();
        let (phase, stage) = self.lanes.phase(now);
        if (phase, &stage) == (self.announced.0, &self.announced.1) {
            return;
        }
        let text = |text: &str| Value::Text(text.to_owned());
        let word = |phase: Phase, stage: &Option<Arc<str>>| text(stage.as_deref().unwrap_or(phase.as_str()));
        let fields = vec![
            ("stage", word(phase, &stage)),
            ("phase", text(phase.as_str())),
            ("previous", word(self.announced.0, &self.announced.1)),
        ];
        self.aggregator.enter(now.saturating_duration_since(self.start), phase, stage.clone());
        self.announced = (phase, stage);
        self.shared.run.set_phase(phase);
        self.tell(0, Command::Announce(ScriptEvent::Stage, fields)).await;
        if phase == Phase::Steady && !std::mem::replace(&mut self.full_load_announced, true) {
            let users = vec![("users", Value::Int(self.lanes.users_target(now) as i64))];
            self.tell(0, Command::Announce(ScriptEvent::SpawningComplete, users)).await;
        }
    }

    /// Ends an interval: collects it from all workers and publishes a snapshot.
    pub(super) async fn tick(&mut self, last: bool) {
        let now = Instant::now();
        let mut answers = Vec::with_capacity(self.workers.len());
        for worker in 0..self.workers.len() {
            if self.workers[worker].commands.is_closed() {
                self.lanes.worker_gone(worker, now);
            }
            let (answer, interval) = oneshot::channel();
            self.tell(worker, Command::Flush(answer)).await;
            answers.push(interval);
        }
        let (phase, stage) = self.lanes.phase(now);
        let mut tick = Tick { phase, stage, users_target: self.lanes.users_target(now), ..idle_tick() };
        for (worker, answer) in answers.into_iter().enumerate() {
            // A worker that has panicked has nothing to say; its users are gone with it.
            let Ok(interval) = answer.await else { continue };
            let Interval { delta, users, users_peak, in_flight, interrupted_requests, health } = interval;
            if let Err(error) = self.aggregator.add(worker, delta) {
                self.aggregator.mark(now.saturating_duration_since(self.start), error.to_string());
            }
            self.aggregator.health(worker, &health);
            tick.users += users;
            tick.users_peak += users_peak;
            tick.in_flight += in_flight;
            tick.interrupted_requests += interrupted_requests;
        }
        if let Some(resources) = &mut self.resources {
            self.aggregator.add_resources(resources.take());
        }
        self.aggregator.process_cpu(process_cpu());
        tick.planned = self.planned(last);
        for lane in self.lanes.open_lanes() {
            if let Some(load) = self.lanes.open_load(lane, Instant::now()) {
                self.pressure.look(lane, &load);
            }
        }
        tick.at = self.start.elapsed();
        if last {
            self.aggregator.end();
            self.aggregator.leave(tick.at);
        }
        let mut snapshot = self.aggregator.close_interval(tick);
        if last {
            for (scenario, text) in self.pressure.at_the_end(&snapshot, &self.shared.plan) {
                self.say(Level::Warning, format!("scenario '{scenario}': {text}"));
                snapshot.notes.push(format!("scenario '{scenario}': {text}"));
            }
            // The seconds keep the phase they were part of; it is the run that is done.
            snapshot.phase = Phase::Done;
        }
        if self.capacity.is_some() {
            // The limit is what is searched for, not what the run is judged by.
            if let Some(limit) = snapshot.thresholds.pop()
                && !last
            {
                self.search_capacity(&snapshot, &limit).await;
            }
            snapshot.capacity = self.capacity.as_ref().map(|run| Arc::new(run.stats().clone()));
        }
        self.pass_on(&snapshot);
        self.shared.run.publish(snapshot.users, snapshot.recent.rate.unwrap_or(0.0), snapshot.phase);
        // Nobody may be watching.
        self.snapshots.send_replace(Arc::new(snapshot));
        self.act_on_thresholds().await;
    }

    /// Passes on what k6 samples once a second, and the iterations that were dropped since.
    fn pass_on(&mut self, snapshot: &Snapshot) {
        let Some(tap) = &mut self.tap else { return };
        let dropped = snapshot.iterations.dropped - self.dropped_told;
        self.dropped_told = snapshot.iterations.dropped;
        let gauge = |metric, value: u64| Sample::Run { metric, kind: MetricKind::Gauge, value: value as f64 };
        tap.add(gauge("vus", snapshot.users));
        tap.add(gauge("vus_max", snapshot.users_max));
        if dropped > 0 {
            let (metric, value) = ("dropped_iterations", dropped as f64);
            tap.add(Sample::Run { metric, kind: MetricKind::Counter, value });
        }
        tap.send(&[], &[]);
    }

    /// By scenario, how many iterations were due so far. At the end, those that were never begun are counted as
    /// dropped.
    fn planned(&mut self, last: bool) -> Vec<(Arc<str>, u64)> {
        let planned = self.lanes.planned(Instant::now());
        let mut named = Vec::with_capacity(planned.len());
        for (scenario, mut due) in planned {
            let name: Arc<str> = self.scenario(scenario).into();
            let (begun, dropped) = self.aggregator.begun_and_dropped(&name);
            if self.iterations_done {
                // What was due beyond the number of the run was never to be begun.
                due = due.min(begun + dropped);
            } else if last && due > begun + dropped {
                self.aggregator.add_dropped(&name, due - begun - dropped);
            }
            // One that was begun in the very moment in which the load was stopped was due too.
            named.push((name, if last { due.max(begun + dropped) } else { due }));
        }
        named
    }
}

pub(super) fn idle_tick() -> Tick {
    Tick {
        at: Duration::ZERO,
        phase: Phase::Starting,
        stage: None,
        planned: Vec::new(),
        users: 0,
        users_peak: 0,
        users_target: 0,
        in_flight: 0,
        interrupted_requests: 0,
    }
}
