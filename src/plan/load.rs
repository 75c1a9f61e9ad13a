//! From options and scenarios to lanes: the executor that the run's settings imply, and the schedule. Pure.

use std::time::Duration;

use super::executor::{Executor, Open};
use super::lane::{LanePlan, MIX, circle, rate_shares};
use super::mix::{Share, deal};
use super::options::Options;
use super::scenario::ScenarioPlan;
use super::test_plan::MOST_USERS;

/// The load of a plan.
pub(super) struct Load {
    pub(super) lanes: Vec<LanePlan>,
    pub(super) mix: Vec<usize>,
    pub(super) run_time: Option<Duration>,
}

impl Load {
    /// Maximum number of virtual users of all lanes; lanes of one group share theirs.
    pub(super) fn users(&self) -> u64 {
        let mut groups: Vec<usize> = Vec::new();
        let mut users: u64 = 0;
        for lane in &self.lanes {
            if !groups.contains(&lane.group) {
                groups.push(lane.group);
                users = users.saturating_add(vus(lane, &self.mix));
            }
        }
        users
    }
}

/// Maximum number of virtual users of a lane.
pub(super) fn vus(lane: &LanePlan, mix: &[usize]) -> u64 {
    let most = lane.executor.most_vus();
    if lane.is_mix && lane.executor.open().is_none() { most.min(mix.len() as u64) } else { most }
}

/// Builds the lanes; problems go to `problems`.
pub(super) fn plan_load(
    options: &Options,
    scenarios: &[ScenarioPlan],
    problems: &mut Vec<String>,
    warnings: &mut Vec<String>,
) -> Load {
    let before = problems.len();
    let mixed: Vec<usize> = (0..scenarios.len()).filter(|&i| scenarios[i].executor.is_none()).collect();
    let executor = run_executor(options, problems);
    let run_time = run_time(options, &executor, problems);
    let mut lanes = Vec::new();
    let mut mix = Vec::new();
    if mixed.is_empty() && !scenarios.is_empty() {
        warn_of_unused(options, warnings);
    } else {
        problems.extend(executor.problems("the run").into_iter().map(|p| p.replacen("the run: ", "", 1)));
        for &index in &mixed {
            let scenario = &scenarios[index];
            if !scenario.start_time.is_zero() || scenario.after.is_some() {
                problems.push(format!(
                    "scenario '{}' shares the run's users, so start_time and after have no effect; give it an \
                     executor",
                    scenario.name
                ));
            }
        }
        if problems.len() == before && !mixed.is_empty() {
            add_mixed_lanes(executor, scenarios, &mixed, &mut lanes, &mut mix, problems);
        }
    }
    for (index, scenario) in scenarios.iter().enumerate() {
        let Some(executor) = &scenario.executor else { continue };
        problems.extend(executor.problems(&format!("scenario '{}'", scenario.name)));
        lanes.push(LanePlan {
            name: scenario.name.clone(),
            executor: executor.clone(),
            scenarios: vec![index],
            share: None,
            is_mix: false,
            is_part_of_shape: false,
            group: lanes.len(),
            start_time: scenario.start_time,
            after: None,
            first_vu: 0,
        });
    }
    put_in_order(scenarios, &mut lanes, problems, warnings);
    number_users(&mut lanes, &mix);
    let load = Load { lanes, mix, run_time };
    if load.users() > MOST_USERS {
        problems.push(format!("users is {}; the maximum is {MOST_USERS}", load.users()));
    }
    load
}

/// The executor that the run's settings imply.
fn run_executor(options: &Options, problems: &mut Vec<String>) -> Executor {
    let open = Open {
        pre_allocated_vus: options.pre_allocated_vus.unwrap_or(0),
        max_vus: options
            .max_vus
            .unwrap_or(Open::default().max_vus.max(options.pre_allocated_vus.unwrap_or(0))),
        arrivals: options.arrivals.unwrap_or_default(),
        late: options.late.unwrap_or_default(),
    };
    let has_rate = options.rate.is_some() || options.stages.as_ref().is_some_and(|stages| stages.are_rates);
    if has_rate && let Some(users) = options.users {
        problems.push(format!(
            "users cannot be combined with a rate, which starts as many users as it needs; to limit them, use \
             max_vus (--max-vus {users})"
        ));
    }
    match (&options.shape, &options.stages, options.rate) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            problems.push("shape cannot be combined with rate or stages; use only one of them".into());
            Executor::Users { users: 1, spawn_rate: 1.0, ramp_down: None }
        }
        (Some(function), None, None) => Executor::Shape { function: function.clone(), open },
        (None, Some(stages), rate) if stages.are_rates || rate.is_some() => Executor::RampingArrivalRate {
            start_rate: rate.unwrap_or(0.0),
            stages: stages.stages.clone(),
            open,
        },
        (None, Some(stages), _) => Executor::RampingVus {
            start_vus: options.users.unwrap_or(0),
            stages: stages.stages.clone(),
            graceful_ramp_down: None,
        },
        (None, None, Some(rate)) => Executor::ConstantArrivalRate { rate, duration: None, open },
        (None, None, None) => Executor::Users {
            users: options.users.unwrap_or(1),
            spawn_rate: options.spawn_rate.unwrap_or(1.0),
            ramp_down: options.ramp_down,
        },
    }
}

/// The time of the run, with `hold` counted from full load.
fn run_time(options: &Options, executor: &Executor, problems: &mut Vec<String>) -> Option<Duration> {
    if let Some(down) = options.ramp_down {
        problems.extend(ramp_down_problem(down, options, executor));
    }
    let Some(hold) = options.hold else { return options.run_time };
    if options.run_time.is_some() {
        problems.push("run_time and hold both set the duration of the run; use only one of them".to_owned());
    }
    if hold.is_zero() {
        problems.push("hold is 0: the run would end right after the ramp-up".to_owned());
    }
    match executor {
        Executor::Users { users, spawn_rate, ramp_down } if *spawn_rate > 0.0 => {
            let ramp = users.saturating_sub(1) as f64 / spawn_rate;
            let full = Duration::try_from_secs_f64(ramp).ok()?.checked_add(hold)?;
            full.checked_add(ramp_down.unwrap_or_default())
        }
        Executor::Users { .. } | Executor::ConstantArrivalRate { .. } => Some(hold),
        other => {
            problems.push(format!(
                "hold counts from full load, which the executor {} does not have; its stages set the duration",
                other.name()
            ));
            None
        }
    }
}

/// Why the users cannot leave one by one in this last part of the run.
fn ramp_down_problem(down: Duration, options: &Options, executor: &Executor) -> Option<String> {
    match (executor, options.run_time, options.hold) {
        (Executor::Users { .. }, Some(time), _) if down > time => {
            Some("ramp_down is the last part of run_time and cannot be longer".to_owned())
        }
        (Executor::Users { .. }, None, None) => {
            Some("ramp_down is the last part of run_time, which is not set (--run-time 1m)".to_owned())
        }
        (Executor::Users { .. }, ..) => None,
        (other, ..) => Some(format!(
            "ramp_down is for a number of users; the executor {} has stages instead",
            other.name()
        )),
    }
}

fn warn_of_unused(options: &Options, warnings: &mut Vec<String>) {
    let given = [
        ("users", options.users.is_some()),
        ("rate", options.rate.is_some()),
        ("stages", options.stages.is_some()),
        ("shape", options.shape.is_some()),
        ("hold", options.hold.is_some()),
    ];
    let given: Vec<&str> =
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect();
    if !given.is_empty() {
        warnings.push(format!(
            "no scenario uses {} of the run: every scenario has its own executor",
            given.join(" and ")
        ));
    }
}

/// The lanes of scenarios without their own executor: one for users, or one per scenario for a rate.
fn add_mixed_lanes(
    executor: Executor,
    scenarios: &[ScenarioPlan],
    mixed: &[usize],
    lanes: &mut Vec<LanePlan>,
    mix: &mut Vec<usize>,
    problems: &mut Vec<String>,
) {
    let lane = |name: &str, executor: Executor, scenarios: Vec<usize>, share| LanePlan {
        name: name.to_owned(),
        executor,
        scenarios,
        share,
        is_mix: false,
        is_part_of_shape: false,
        group: 0,
        start_time: Duration::ZERO,
        after: None,
        first_vu: 0,
    };
    let of_mix: Vec<&ScenarioPlan> = mixed.iter().map(|&index| &scenarios[index]).collect();
    let shares: Vec<Share> = of_mix
        .iter()
        .map(|s| Share { name: s.name.clone(), weight: s.weight, fixed_count: s.fixed_count })
        .collect();
    let dealt = |users: u64| deal(&shares, users).into_iter().map(|i| mixed[i]).collect::<Vec<usize>>();
    for scenario in &of_mix {
        if let Some(count) = scenario.fixed_count.filter(|count| *count > MOST_USERS) {
            let name = &scenario.name;
            problems.push(format!("scenario '{name}': fixed_count is {count}; the maximum is {MOST_USERS}"));
        }
    }
    let nobody = "no scenario gets users: all weights are 0 and no fixed_count is set";
    match executor {
        Executor::Users { users, spawn_rate, ramp_down } => {
            *mix = dealt(users.min(MOST_USERS));
            let users = if users > MOST_USERS { users } else { mix.len() as u64 };
            let executor = Executor::Users { users, spawn_rate, ramp_down };
            lanes.push(LanePlan { is_mix: true, ..lane(MIX, executor, mixed.to_vec(), None) });
        }
        Executor::RampingVus { .. } | Executor::Shape { .. } => {
            *mix = dealt(executor.most_vus().min(MOST_USERS));
            lanes.push(LanePlan { is_mix: true, ..lane(MIX, executor.clone(), mixed.to_vec(), None) });
            // Whether a shape returns users or a rate is known only when it is called.
            if matches!(executor, Executor::Shape { .. }) {
                for &index in mixed {
                    let part = lane(&scenarios[index].name, executor.clone(), vec![index], None);
                    lanes.push(LanePlan { is_part_of_shape: true, ..part });
                }
            }
        }
        executor => {
            for scenario in of_mix.iter().filter(|scenario| scenario.fixed_count.is_some()) {
                problems.push(format!(
                    "scenario '{}' has a fixed_count of users, but the run has a rate; give it a weight or \
                     its own executor",
                    scenario.name
                ));
            }
            if of_mix.iter().all(|scenario| scenario.weight <= 0.0) {
                problems.push("no scenario gets iterations: all weights are 0".to_owned());
                return;
            }
            let shares = if mixed.len() == 1 { vec![None] } else { rate_shares(&of_mix) };
            for (&index, share) in mixed.iter().zip(shares) {
                if mixed.len() == 1 || share.is_some() {
                    lanes.push(lane(&scenarios[index].name, executor.clone(), vec![index], share));
                }
            }
            return;
        }
    }
    if mix.is_empty() {
        problems.push(nobody.to_owned());
    }
}

/// Resolves the lanes that others wait for.
fn put_in_order(
    scenarios: &[ScenarioPlan],
    lanes: &mut [LanePlan],
    problems: &mut Vec<String>,
    warnings: &mut Vec<String>,
) {
    let after: Vec<(&str, Option<&str>)> =
        scenarios.iter().map(|scenario| (scenario.name.as_str(), scenario.after.as_deref())).collect();
    if let Some(circle) = circle(&after) {
        problems.push(format!(
            "scenarios wait for each other in a cycle, so none of them can start: {}",
            circle.join(" after ")
        ));
        return;
    }
    for index in 0..lanes.len() {
        let [scenario] = lanes[index].scenarios[..] else { continue };
        let Some(name) = &scenarios[scenario].after else { continue };
        let before = lanes.iter().position(|lane| lane.scenarios.iter().any(|&s| scenarios[s].name == *name));
        if before.is_none() {
            let this = &scenarios[scenario].name;
            warnings.push(format!(
                "scenario '{this}' starts immediately, because '{name}', which it should follow, does not run"
            ));
        }
        lanes[index].after = before.filter(|&before| before != index);
    }
}

/// Numbers the users of each lane, lane by lane.
fn number_users(lanes: &mut [LanePlan], mix: &[usize]) {
    let mut next = 1;
    for lane in lanes {
        lane.first_vu = next;
        next += vus(lane, mix);
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::TaskPlan;
    use super::super::stage::parse_stages;
    use super::*;
    use crate::plan::{PlanError, TestPlan};

    fn scenario(name: &str, executor: Option<Executor>) -> ScenarioPlan {
        ScenarioPlan { executor, ..ScenarioPlan::new(name, vec![TaskPlan::new("iteration", 1)]) }
    }

    fn vus(vus: u64, seconds: u64) -> Option<Executor> {
        Some(Executor::ConstantVus { vus, duration: Some(Duration::from_secs(seconds)) })
    }

    fn problems(options: Options, scenarios: Vec<ScenarioPlan>) -> Vec<String> {
        let PlanError(problems) = TestPlan::new(options, scenarios, 7).unwrap_err();
        problems
    }

    #[test]
    fn own_executors_run_beside_the_mix() {
        let options =
            Options { users: Some(4), run_time: Some(Duration::from_secs(9)), ..Options::default() };
        let mut last = scenario("last", vus(3, 60));
        last.after = Some("own".into());
        let plan = TestPlan::new(
            options,
            vec![scenario("a", None), scenario("own", vus(2, 5)), scenario("b", None), last],
            7,
        )
        .unwrap();
        let lanes: Vec<_> =
            plan.lanes.iter().map(|lane| (lane.name.as_str(), lane.first_vu, lane.after)).collect();
        assert_eq!(lanes, [("users", 1, None), ("own", 5, None), ("last", 7, Some(1))]);
        assert_eq!((plan.users, plan.mix.as_slice()), (9, [0, 2, 0, 2].as_slice()));
        assert_eq!(plan.planned(), Some(Duration::from_secs(9)), "the run time ends all of them");
    }

    #[test]
    fn a_rate_of_the_run_is_dealt_to_its_scenarios() {
        let options = Options { rate: Some(100.0), max_vus: Some(50), ..Options::default() };
        let plan = TestPlan::new(options, vec![scenario("a", None), scenario("b", None)], 7).unwrap();
        assert_eq!(plan.lanes.len(), 2);
        assert_eq!(plan.users, 50, "they share the limit");
        assert_eq!(plan.lanes[1].share.as_ref().unwrap().offsets.len(), 1);
        assert!(plan.mix.is_empty());
    }

    #[test]
    fn stages_are_users_or_rates() {
        let plan = |text: &str, rate| {
            let options = Options { stages: Some(parse_stages(text).unwrap()), rate, ..Options::default() };
            TestPlan::new(options, vec![scenario("a", None)], 7).unwrap().lanes[0].executor.name()
        };
        assert_eq!(plan("10s:5", None), "ramping-vus");
        assert_eq!(plan("10s:5/s", None), "ramping-arrival-rate");
        assert_eq!(plan("10s:5", Some(3.0)), "ramping-arrival-rate");
    }

    #[test]
    fn hold_counts_from_full_load() {
        let hold = Some(Duration::from_secs(10));
        let options = Options { users: Some(21), spawn_rate: Some(4.0), hold, ..Options::default() };
        let plan = TestPlan::new(options.clone(), vec![scenario("a", None)], 7).unwrap();
        assert_eq!(plan.run_time, Some(Duration::from_secs(15)));
        let both = Options { run_time: hold, ..options };
        assert!(problems(both, vec![scenario("a", None)])[0].contains("use only one of them"));
        let stages = Some(parse_stages("5s:5").unwrap());
        let with_stages = Options { stages, hold, ..Options::default() };
        assert!(problems(with_stages, vec![scenario("a", None)])[0].contains("ramping-vus does not have"));
    }

    #[test]
    fn what_contradicts_itself_is_told_all_at_once() {
        let options = Options { users: Some(5), rate: Some(-2.0), ..Options::default() };
        let mut early = scenario("early", None);
        early.start_time = Duration::from_secs(1);
        let (mut a, mut b) = (scenario("a", vus(0, 0)), scenario("b", vus(1, 1)));
        (a.after, b.after) = (Some("b".into()), Some("a".into()));
        let problems = problems(options, vec![early, a, b]);
        let expected = [
            "users cannot be combined with a rate",
            "rate is -2",
            "'early' shares the run's users",
            "scenario 'a': vus is 0",
            "scenario 'a': duration is 0",
            "in a cycle, so none of them can start: a after b after a",
        ];
        for (expected, problem) in expected.iter().zip(&problems) {
            assert!(problem.contains(expected), "{expected} in {problem}");
        }
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    }

    #[test]
    fn one_who_follows_what_does_not_run_starts_at_once() {
        let mut b = scenario("b", vus(1, 1));
        b.after = Some("a".into());
        let options = Options { scenarios: vec!["b".into()], ..Options::default() };
        let plan = TestPlan::new(options, vec![scenario("a", None), b], 7).unwrap();
        assert_eq!((plan.lanes[0].after, plan.warnings.len()), (None, 1));
    }
}
