//! Lanes at given times: nothing here waits.

use super::*;
use crate::plan::{Executor, Open, Options, ScenarioPlan, Stage, TaskPlan, parse_stages};
use crate::run::control::{Control, ControlError};

const WORKERS: usize = 2;

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn scenario(name: &str, executor: Option<Executor>) -> ScenarioPlan {
    ScenarioPlan { executor, ..ScenarioPlan::new(name, vec![TaskPlan::new("iteration", 1)]) }
}

fn vus(vus: u64, seconds: Option<f64>) -> Option<Executor> {
    Some(Executor::ConstantVus { vus, duration: seconds.map(s) })
}

fn rate(rate: f64, seconds: f64) -> Option<Executor> {
    Some(Executor::ConstantArrivalRate { rate, duration: Some(s(seconds)), open: Open::default() })
}

fn ramping(stages: &str) -> Option<Executor> {
    let stages: Vec<Stage> = parse_stages(stages).unwrap().stages;
    Some(Executor::RampingVus { start_vus: 0, stages, graceful_ramp_down: None })
}

/// A plan and its lanes, of which none has begun.
fn lanes_of(options: Options, scenarios: Vec<ScenarioPlan>) -> (TestPlan, Lanes) {
    let plan = TestPlan::new(options, scenarios, 7).unwrap();
    let lanes = Lanes::new(&plan);
    (plan, lanes)
}

/// The lanes of scenarios with executors of their own; those whose time has come have begun.
fn begun(scenarios: Vec<ScenarioPlan>) -> (TestPlan, Lanes) {
    let (plan, mut lanes) = lanes_of(Options::default(), scenarios);
    begin_due(&plan, &mut lanes, Duration::ZERO);
    (plan, lanes)
}

fn begin_due(plan: &TestPlan, lanes: &mut Lanes, now: Duration) {
    while let Some((lane, at)) = lanes.next_start().filter(|&(_, at)| at <= now) {
        lanes.begin(lane, at, plan, WORKERS, false);
    }
}

/// All workers have no user of a lane any more.
fn idle(lanes: &mut Lanes, lane: usize, now: Duration) -> bool {
    (0..WORKERS).map(|worker| lanes.idle(lane, worker, None, now)).last().unwrap()
}

fn users(scenario: Option<&str>, users: u64) -> Control {
    Control::Users { scenario: scenario.map(str::to_owned), users, spawn_rate: None }
}

fn targets(lanes: &Lanes, times: &[f64]) -> Vec<u64> {
    times.iter().map(|&time| lanes.users_target(s(time))).collect()
}

#[test]
fn a_lane_starts_at_its_time_or_after_another() {
    let mut late = scenario("late", vus(1, Some(0.2)));
    late.start_time = s(0.2);
    let mut second = scenario("second", vus(1, Some(1.0)));
    (second.after, second.start_time) = (Some("first".into()), s(0.3));
    let first = Executor::PerVuIterations { vus: 1, iterations: 2, max_duration: s(60.0) };
    let (plan, mut lanes) = begun(vec![scenario("first", Some(first)), second, late]);
    assert_eq!(lanes.next_start(), Some((2, s(0.2))));
    assert_eq!(lanes.phase(s(0.1)).0, Phase::Steady);
    assert!(!lanes.idle(0, 0, None, s(0.1)), "another worker has users");
    assert!(lanes.idle(0, 1, None, s(0.1)));
    begin_due(&plan, &mut lanes, s(0.2));
    assert_eq!(lanes.next_start(), Some((1, s(0.4))), "counted from the end of the first");
    assert!(idle(&mut lanes, 2, s(0.4)));
    assert_eq!(lanes.phase(s(0.4)).0, Phase::RampUp, "between two lanes there is more to come");
    begin_due(&plan, &mut lanes, s(0.4));
    assert!(!lanes.are_over());
    assert!(idle(&mut lanes, 1, s(1.4)) && lanes.are_over());
    assert!(lanes.some_time_was_over() && lanes.some_count_iterations());
}

#[test]
fn the_time_of_the_run_ends_every_lane() {
    let mut never = scenario("never", vus(1, Some(60.0)));
    never.start_time = s(60.0);
    let options = Options { run_time: Some(s(0.5)), ..Options::default() };
    let (plan, mut lanes) = lanes_of(options, vec![scenario("own", vus(2, None)), never]);
    begin_due(&plan, &mut lanes, Duration::ZERO);
    assert_eq!(targets(&lanes, &[0.0, 0.49, 0.5]), [2, 2, 0]);
    assert!(lanes.begin(1, s(60.0), &plan, WORKERS, false).is_none());
    assert!(idle(&mut lanes, 0, s(0.5)) && lanes.are_over() && lanes.some_time_was_over());
}

#[test]
fn only_who_follows_the_last_schedule_can_be_done_with_it() {
    let (_, mut lanes) = begun(vec![scenario("own", vus(2, Some(1.0)))]);
    lanes.change(&users(None, 5), s(0.5)).unwrap();
    assert!(
        !lanes.idle(0, 0, Some(0), s(0.6)) && !lanes.idle(0, 1, Some(0), s(0.6)),
        "they knew the old one"
    );
    assert!(!lanes.idle(0, 0, Some(1), s(1.0)) && lanes.idle(0, 1, Some(1), s(1.0)));
}

#[test]
fn a_worker_that_is_gone_has_no_users() {
    let (_, mut lanes) = begun(vec![scenario("a", vus(2, None)), scenario("b", vus(2, None))]);
    lanes.worker_gone(0, s(0.1));
    assert!(!lanes.are_over());
    lanes.worker_gone(1, s(0.2));
    assert!(lanes.are_over() && !lanes.some_time_was_over());
}

#[test]
fn a_worker_that_is_back_has_users_that_are_waited_for() {
    let (_, mut lanes) = begun(vec![scenario("a", vus(2, None))]);
    lanes.worker_gone(0, s(0.1));
    lanes.worker_back(0);
    lanes.worker_gone(1, s(0.2));
    assert!(!lanes.are_over(), "the first one has users again");
}

#[test]
fn lanes_are_held_for_others_when_nobody_is_left() {
    let (_, mut lanes) = begun(vec![scenario("a", vus(2, Some(9.0)))]);
    lanes.worker_gone(0, s(0.1));
    lanes.hold(true);
    lanes.worker_gone(1, s(0.2));
    assert!(!lanes.are_over() && lanes.have_load_left(s(5.0)) && !lanes.have_load_left(s(9.0)));
    lanes.hold(false);
    lanes.give_up_all(s(6.0));
    assert!(lanes.are_over() && !lanes.some_time_was_over() && !lanes.have_load_left(s(5.0)));
}

#[test]
fn time_stands_still_while_the_run_is_paused() {
    let mut late = scenario("late", vus(1, Some(1.0)));
    late.start_time = s(0.5);
    let (_, mut lanes) = begun(vec![scenario("own", ramping("1s:10")), late]);
    let (changes, text) = lanes.change(&Control::Pause, s(0.4)).unwrap();
    assert_eq!((changes.len(), text.as_str()), (1, "paused"));
    assert!(changes[0].1.is_paused);
    assert_eq!(targets(&lanes, &[0.4, 99.0]), [4, 4]);
    assert_eq!(lanes.next_start(), None, "nothing starts");
    assert_eq!(lanes.change(&Control::Pause, s(0.5)), Err(ControlError::PausedAlready));
    assert_eq!(lanes.change(&users(None, 3), s(0.5)), Err(ControlError::Paused));
    assert_eq!(lanes.change(&Control::NextStage, s(0.5)), Err(ControlError::Paused));
    let (changes, text) = lanes.change(&Control::Resume, s(1.4)).unwrap();
    assert_eq!((changes[0].1.is_paused, text.as_str()), (false, "resumed after 1.0 s"));
    assert_eq!(targets(&lanes, &[1.45, 1.95, 2.0]), [4, 9, 0]);
    assert_eq!(lanes.next_start(), Some((1, s(1.5))));
    assert_eq!(lanes.change(&Control::Resume, s(1.5)), Err(ControlError::NotPaused));
}

#[test]
fn no_iteration_is_due_while_the_run_is_paused() {
    let (_, mut lanes) = begun(vec![scenario("own", rate(10.0, 2.0))]);
    assert_eq!(lanes.planned(s(1.0)), [(0, 10)]);
    lanes.change(&Control::Pause, s(1.0)).unwrap();
    assert_eq!(lanes.planned(s(50.0)), [(0, 10)]);
    lanes.change(&Control::Resume, s(50.0)).unwrap();
    assert_eq!(lanes.planned(s(50.5)), [(0, 15)]);
    assert_eq!(lanes.planned(s(60.0)), [(0, 20)], "as many as without the pause");
}

#[test]
fn users_go_to_another_number_as_they_came_and_leave_when_the_time_is_over() {
    let options =
        Options { users: Some(2), spawn_rate: Some(1.0), run_time: Some(s(10.0)), ..Options::default() };
    let (plan, mut lanes) = lanes_of(options, vec![scenario("a", None)]);
    begin_due(&plan, &mut lanes, Duration::ZERO);
    lanes.change(&users(None, 7), s(4.0)).unwrap();
    assert_eq!(targets(&lanes, &[4.0, 5.0, 8.0, 9.9, 10.0]), [3, 4, 7, 7, 0]);
    let all_at_once =
        Control::Users { scenario: Some("a".into()), users: 1, spawn_rate: Some(f64::INFINITY) };
    lanes.change(&all_at_once, s(9.0)).unwrap();
    assert_eq!(targets(&lanes, &[9.0, 9.9, 10.1]), [1, 1, 0]);
    assert_eq!(lanes.change(&Control::Rate { scenario: None, rate: 1.0 }, s(9.5)), Err(ControlError::NoRate));
}

#[test]
fn further_users_of_a_mix_are_dealt_as_the_first_were() {
    let options = Options { users: Some(2), spawn_rate: Some(9.0), ..Options::default() };
    let (plan, mut lanes) = lanes_of(options, vec![scenario("a", None), scenario("b", None)]);
    begin_due(&plan, &mut lanes, Duration::ZERO);
    let (changes, _) = lanes.change(&users(None, 6), s(1.0)).unwrap();
    assert_eq!(*changes[0].1.mix, [0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_rate_holds_from_now_until_the_time_of_the_load_is_over() {
    let (_, mut lanes) = begun(vec![scenario("own", rate(10.0, 10.0))]);
    lanes.change(&Control::Rate { scenario: Some("own".into()), rate: 100.0 }, s(2.0)).unwrap();
    assert_eq!(lanes.planned(s(3.0)), [(0, 120)]);
    assert_eq!(lanes.open_load(0, s(3.0)).unwrap().backlog, 120, "nobody has taken one");
    assert_eq!(lanes.planned(s(99.0)), [(0, 820)]);
    assert_eq!(
        lanes.change(&Control::Rate { scenario: None, rate: -1.0 }, s(3.0)),
        Err(ControlError::Rate(-1.0))
    );
    assert_eq!(lanes.change(&users(None, 3), s(3.0)), Err(ControlError::NoUsers));
}

#[test]
fn nothing_is_due_after_a_stop() {
    let (_, mut lanes) = begun(vec![scenario("own", rate(10.0, 10.0))]);
    lanes.end(s(2.0));
    assert_eq!(lanes.planned(s(9.0)), [(0, 20)]);
    assert_eq!((lanes.phase(s(9.0)).0, lanes.users_target(s(9.0))), (Phase::RampDown, 0));
    assert!(idle(&mut lanes, 0, s(10.5)) && !lanes.some_time_was_over(), "it did not end by itself");
}

#[test]
fn a_number_of_iterations_is_known_from_the_start() {
    let each = Executor::PerVuIterations { vus: 4, iterations: 5, max_duration: s(1.0) };
    let together = Executor::SharedIterations { vus: 3, iterations: 10, max_duration: s(1.0) };
    let (_, mut lanes) = begun(vec![
        scenario("each", Some(each)),
        scenario("together", Some(together)),
        scenario("vus", vus(1, None)),
    ]);
    assert_eq!(lanes.planned(Duration::ZERO), [(0, 20), (1, 10)], "of users nobody knows");
}

#[test]
fn the_next_stage_begins_where_the_load_is() {
    let (_, mut lanes) = begun(vec![scenario("own", ramping("10s:10,hold=5s:10"))]);
    assert_eq!(lanes.next_border(s(3.0)), Some(s(10.0)));
    lanes.change(&Control::NextStage, s(3.0)).unwrap();
    assert_eq!(lanes.phase(s(3.0)), (Phase::Steady, Some("hold".into())));
    assert_eq!(targets(&lanes, &[2.9, 3.0, 7.9, 8.0]), [2, 10, 10, 0]);
    lanes.change(&Control::NextStage, s(4.0)).unwrap();
    assert_eq!(targets(&lanes, &[4.0]), [0], "after the last stage the load ends");
    let (_, mut lanes) = begun(vec![scenario("own", vus(1, None))]);
    assert_eq!(lanes.change(&Control::NextStage, s(1.0)), Err(ControlError::NoStages));
}

#[test]
fn a_load_without_stages_goes_on_when_asked_for_the_next_one() {
    let no_stage = Err(ControlError::NoStages);
    for load in [vus(3, Some(10.0)), rate(10.0, 10.0)] {
        let (_, mut lanes) = begun(vec![scenario("own", load)]);
        assert_eq!(lanes.change(&Control::NextStage, s(1.0)), no_stage);
        assert!(!lanes.are_over() && lanes.next_border(s(1.0)) == Some(s(10.0)));
    }
    let options =
        Options { users: Some(5), spawn_rate: Some(1.0), run_time: Some(s(10.0)), ..Options::default() };
    let (plan, mut lanes) = lanes_of(options, vec![scenario("a", None)]);
    begin_due(&plan, &mut lanes, Duration::ZERO);
    lanes.change(&Control::NextStage, s(1.0)).unwrap();
    assert_eq!(targets(&lanes, &[1.1, 5.0]), [5, 5], "those that are added one by one are there at once");
    assert_eq!(lanes.change(&Control::NextStage, s(2.0)), no_stage);
}

#[test]
fn a_pause_is_a_phase_and_its_time_is_known() {
    let (_, mut lanes) = begun(vec![scenario("own", vus(3, Some(10.0)))]);
    lanes.change(&Control::Pause, s(2.0)).unwrap();
    assert_eq!((lanes.phase(s(3.0)), lanes.paused_time(s(3.5))), ((Phase::Paused, None), s(1.5)));
    lanes.change(&Control::Resume, s(4.0)).unwrap();
    assert_eq!((lanes.phase(s(5.0)).0, lanes.paused_time(s(9.0))), (Phase::Steady, s(2.0)));
}

#[test]
fn of_several_loads_one_is_named() {
    let (_, mut lanes) =
        begun(vec![scenario("a", vus(1, None)), scenario("b", vus(1, None)), scenario("c", rate(1.0, 9.0))]);
    let several = ControlError::Several(vec!["a".into(), "b".into()]);
    assert_eq!(lanes.change(&users(None, 3), s(1.0)), Err(several));
    let (changes, _) = lanes.change(&users(Some("b"), 3), s(1.0)).unwrap();
    assert_eq!((changes.len(), changes[0].0, changes[0].1.curve.users(1.0)), (1, 1, 3));
    assert_eq!(lanes.change(&users(Some("c"), 3), s(1.0)), Err(ControlError::NoScenario("c".into())));
    assert!(lanes.change(&Control::Rate { scenario: None, rate: 5.0 }, s(1.0)).is_ok(), "there is but one");
}

#[test]
fn of_several_lanes_one_that_ramps_up_says_the_phase() {
    let (_, mut lanes) = begun(vec![scenario("a", vus(1, None)), scenario("b", ramping("up=2s:4,2s:0"))]);
    assert_eq!(lanes.phase(s(1.0)), (Phase::RampUp, Some("up".into())));
    assert_eq!(lanes.phase(s(3.0)), (Phase::Steady, None));
    assert_eq!(lanes.next_border(s(3.0)), Some(s(4.0)));
    assert!(idle(&mut lanes, 1, s(4.0)));
    assert_eq!(lanes.next_border(s(4.0)), None);
}
