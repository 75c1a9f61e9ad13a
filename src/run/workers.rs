//! What a worker is to a run: it is told commands, and it gives notice of what happens and of what it counted.
//!
//! The driver knows workers by [`Workers`] alone. Commands are plain data: times count from the start of the load, and
//! what is asked for comes back as a notice. So workers can be threads of this process, as `threads` has them, or
//! something else that a message reaches.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use tokio::time::Instant;

use super::reload::Reloaded;
use crate::executor::schedule::Schedule;
use crate::executor::shape::ShapeLoad;
use crate::executor::share::{Allowances, Deal};
use crate::metrics::{AgentStats, BlockingStats, Phase};
use crate::script::{EventFields, Level, ScriptEvent, SummaryOutput, Value};
use crate::vu::{Event, HookError, Interval};

/// How long the last intervals of a run are waited for, where nothing is known that may keep them: one that does not come is
/// lost.
pub(crate) const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// What the run tells a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Run `setup`; answered with [`Notice::Setup`].
    Setup,
    /// The load begins; `vu::data()` gives this value.
    Start { data: Arc<Value> },
    /// Begin a lane; with `is_open`, its users follow a rate.
    Begin { lane: usize, schedule: Arc<Schedule>, is_open: bool },
    /// A lane goes on with another schedule.
    Follow { lane: usize, schedule: Arc<Schedule> },
    /// Others take part in the load from now on. The schedule of each lane that runs comes after it.
    Share(Arc<Deal>),
    /// From now on processes may take these parts of numbers of iterations.
    Allow(Arc<Allowances>),
    /// Of the iterations that the users of a lane have together, none is left.
    NoMore { lane: usize },
    /// Ask the script's shape function; answered with [`Notice::Shape`]. `elapsed` is in seconds, `last` what it said
    /// before.
    AskShape { lane: usize, function: String, elapsed: f64, last: Option<ShapeLoad> },
    /// Begin no iteration any more; let the running ones end.
    Finish,
    /// The time of the load is over: all users leave, with the graceful stop.
    Dismiss,
    /// Stop all users, with the stop timeout.
    Stop,
    /// End everything at once.
    StopNow,
    /// Call the listeners to an event of the run.
    Announce(ScriptEvent, EventFields),
    /// Use a changed script from the next calls on.
    Reload(Reloaded),
    /// Give what was counted since the last time; answered with [`Notice::Interval`] of this number. With `is_last`, the
    /// load is over.
    Flush { number: u64, is_last: bool },
    /// Run `teardown`; answered with [`Notice::Teardown`].
    Teardown,
    /// Call `summary` with these figures; answered with [`Notice::Summary`].
    Summary { data: Arc<serde_json::Value> },
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// Something that the run has to act on.
    Event(Event),
    /// What `setup` returned.
    Setup(Result<Value, HookError>),
    /// What the shape function of a lane says, or why it says nothing.
    Shape { lane: usize, answer: ShapeAnswer },
    /// What was counted until the command of this number.
    Interval { number: u64, interval: Box<Interval> },
    /// What was counted in a time before that, which could not be told then.
    Earlier { interval: Box<Interval> },
    /// What was counted in a whole second of the load that could not be told then: by all who were there, or by some, when the
    /// second has been closed already.
    Past { second: u64, intervals: Vec<(usize, Interval)> },
    /// What was asked for with this number has been told so.
    Answered { number: u64 },
    /// How `teardown` ended.
    Teardown(Result<(), HookError>),
    /// What `summary` wants to be written.
    Summary(Result<Vec<SummaryOutput>, HookError>),
    /// It has joined the load that runs, with the next number, and has been told what the others were told.
    Joined,
    /// From now on these take part in the load, in ascending order: some are lost, or have joined. What the lost ones had
    /// left is dealt to the others. It comes before the notices that the lost ones are gone.
    Deal { members: Vec<usize> },
    /// It is gone, and its users with it.
    Gone,
    /// It cannot be reached: its users count as gone, but what it has counted may still come.
    Lost,
    /// It can be reached again, or is new: it has users.
    Back,
    /// The run is to end, since some were lost.
    AgentsLost(String),
    /// Something about the run that people are to see, and when.
    Note { level: Level, text: String },
}

/// What a shape function says, or why it says nothing.
pub(crate) type ShapeAnswer = Result<ShapeLoad, HookError>;

/// The workers of a run, numbered from 0.
pub(crate) trait Workers {
    /// How many there are.
    fn count(&self) -> usize;

    /// Which of several processes one is in, the first one's being 0. Those of one process have numbers in a row.
    fn group(&self, worker: usize) -> usize;

    /// Tells one something, without waiting for it. One that is gone hears nothing; its last notice says so.
    fn tell(&mut self, worker: usize, command: Command);

    /// Tells all something.
    fn tell_all(&mut self, command: Command) {
        for worker in 0..self.count() {
            self.tell(worker, command.clone());
        }
    }

    /// When a load begins that is ordered now.
    fn next_start(&self) -> Instant {
        Instant::now()
    }

    /// How the load has been dealt anew so far, of a run that is resumed.
    fn deals(&self) -> Vec<Arc<Deal>> {
        Vec::new()
    }

    /// What processes may take of numbers of iterations, if that has been changed in a run that is resumed.
    fn allowances(&self) -> Option<Arc<Allowances>> {
        None
    }

    /// Schedules that lanes follow already, of a run that is resumed.
    fn schedules(&self) -> Vec<(usize, Arc<Schedule>)> {
        Vec::new()
    }

    /// How long the last intervals of a run are waited for.
    fn last_patience(&self) -> Duration {
        LAST_PATIENCE
    }

    /// When all are gone, how long others are waited for that may take the load up; `None` where none can come.
    fn others_within(&self) -> Option<Duration> {
        None
    }

    /// Whether none of them can be heard: nothing is asked for, and what they count meanwhile comes as [`Notice::Past`].
    fn are_away(&self) -> bool {
        false
    }

    /// Whether it says itself, with [`Notice::Note`], that a worker does not answer.
    fn tells_silence(&self) -> bool {
        false
    }

    /// The machines that the workers are on, when there are several.
    fn agents(&self) -> Vec<AgentStats> {
        Vec::new()
    }

    /// Adds what kept threads elsewhere from their users.
    fn blocking(&self, _all: &mut BlockingStats) {}

    /// The last second of the load of which all have told that may still tell: those after it may change when they are closed.
    fn told_until(&self) -> u64 {
        u64::MAX
    }

    /// The figures until then are out. Lets workers elsewhere know how the run goes.
    fn publish(&mut self, _closed: Duration, _users: u64, _rate: f64, _phase: Phase) {}

    /// What is said next, and by whom; never, when all are gone. Can be dropped without losing anything.
    async fn next(&mut self) -> (usize, Notice);

    /// Lets them go when they have done what they were told, and waits for that, but not for one that does not end.
    async fn end(self);
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::executor::curve::{Curve, Stretch};
    use crate::script::Sources;
    use crate::share::Process;
    use crate::vu::LaneCount;

    #[test]
    fn a_command_is_the_same_after_a_journey_as_text() {
        let curve = Curve::new([Stretch::new(0.0, 5.0, 2.5), Stretch::flat(5.0, f64::INFINITY)]);
        let (start, mix) = (Duration::from_millis(300), Arc::from([0, 1]));
        let schedule = Arc::new(Schedule { start, curve, is_paused: false, mix, generation: 3 });
        let fields = vec![("stage".into(), Value::Text("warm".into())), ("none".into(), Value::Unit)];
        let last = Some(ShapeLoad::Rate { rate: 2.0, scenarios: Some(vec!["a".into()]) });
        let function = "shape".to_owned();
        let sources = Sources::from_text("test.rhai", "fn iteration() {}");
        let variables = Arc::new([("X".to_owned(), Value::List(vec![Value::Int(1)]))].into());
        let deal = Deal { number: 2, members: Process::row(&[2, 1]).into(), firsts: vec![7, 0] };
        let allowances = Allowances { number: 3, run: vec![(0, 5), (2, 4)], lanes: vec![(1, vec![(0, 9)])] };
        let commands = [
            Command::Setup,
            Command::Start { data: Arc::new(Value::Map(vec![("k".into(), Value::Bytes(vec![1]))])) },
            Command::Begin { lane: 1, schedule: schedule.clone(), is_open: true },
            Command::Follow { lane: 1, schedule },
            Command::Share(Arc::new(deal)),
            Command::Allow(Arc::new(allowances)),
            Command::NoMore { lane: 1 },
            Command::AskShape { lane: 0, function, elapsed: 1.5, last },
            Command::Finish,
            Command::Dismiss,
            Command::Stop,
            Command::StopNow,
            Command::Announce(ScriptEvent::Stage, fields),
            Command::Reload(Reloaded {
                sources,
                variables,
                other_scenarios: true,
                last_hooks: Default::default(),
            }),
            Command::Flush { number: 7, is_last: true },
            Command::Teardown,
            Command::Summary { data: Arc::new(serde_json::json!({ "total": { "requests": 3 } })) },
        ];
        commands.iter().for_each(is_the_same_after_a_journey);
    }

    #[test]
    fn so_is_a_notice() {
        let mut recorder = crate::metrics::Recorder::new(1);
        recorder.dropped_iterations(&"buy".into(), 3);
        let interval = Interval {
            delta: recorder.take(),
            users: 2,
            users_peak: 3,
            in_flight: 1,
            interrupted_requests: 0,
            health: crate::metrics::WorkerHealth::default(),
            claimed: 9,
            lanes: vec![LaneCount { lane: 1, taken: 8, users: 2 }],
        };
        let answer = Ok(ShapeLoad::Users { users: 5, spawn_rate: None, scenarios: None });
        let notices = [
            Notice::Event(Event::LaneIdle { lane: 1, worker: 0, generation: Some(2), taken: 3, claimed: 4 }),
            Notice::Event(Event::NoIterationsLeft { lane: None, allowed: 1 }),
            Notice::Setup(Ok(Value::Int(7))),
            Notice::Shape { lane: 0, answer },
            Notice::Interval { number: 4, interval: Box::new(interval) },
            Notice::Teardown(Err(HookError::Failed("odd".to_owned()))),
            Notice::Summary(Ok(Vec::new())),
            Notice::Joined,
            Notice::Answered { number: 4 },
            Notice::Deal { members: vec![0, 2] },
            Notice::Gone,
            Notice::AgentsLost("agent 'a' was lost".to_owned()),
            Notice::Note { level: Level::Warning, text: "odd".to_owned() },
        ];
        notices.iter().for_each(is_the_same_after_a_journey);
    }

    fn is_the_same_after_a_journey<T: Serialize + DeserializeOwned + Debug>(message: &T) {
        let text = serde_json::to_string(message).unwrap();
        let back: T = serde_json::from_str(&text).unwrap();
        assert_eq!(format!("{back:?}"), format!("{message:?}"), "{text}");
    }
}
