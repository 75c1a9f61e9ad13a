//! Loads that several processes make together: worker threads with a share each, and one driver that knows them all.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::LoadTest;
use super::driver::{Driver, Ending};
use super::requests::Requests;
use super::threads::Threads;
use super::watchdog::Watchdog;
use super::workers::{Command, Notice, Workers};
use crate::metrics::CustomFigures;
use crate::plan::{EndedBy, Options};
use crate::share::{Process, Share};
use crate::vu::Shared;

/// What one of the processes says next.
type Saying<'a> = Pin<Box<dyn Future<Output = (usize, Notice)> + 'a>>;

/// What was seen of each process.
#[derive(Default)]
struct Seen {
    /// Most users at the end of a second.
    users: BTreeMap<usize, u64>,
    /// Iterations that were taken of the run's number.
    claimed: BTreeMap<(usize, usize), u64>,
}

/// Who is lost or joins, and when.
#[derive(Clone, Copy)]
enum Change {
    Lost(usize),
    /// It is lost, and its share is dealt to nobody.
    Missed(usize),
    Joined,
    /// All are lost, and another one joins a second later.
    Replaced,
}

/// Processes, of which those that joined do what they are told from their first command on.
struct Several {
    processes: Vec<(Threads, Arc<Shared>)>,
    firsts: Vec<usize>,
    groups: Vec<usize>,
    /// One that is ready to join.
    waiting: Option<(Threads, Arc<Shared>)>,
    /// What was told to all, for whoever joins.
    told: Vec<Command>,
    start: Option<Instant>,
    change: Option<(Duration, Change)>,
    lost: BTreeSet<usize>,
    pending: VecDeque<(usize, Notice)>,
    seen: Rc<RefCell<Seen>>,
}

impl Several {
    fn add(&mut self, process: (Threads, Arc<Shared>)) {
        let group = self.processes.len();
        self.firsts.push(self.groups.len());
        self.groups.extend(std::iter::repeat_n(group, process.0.count()));
        self.processes.push(process);
    }

    fn begin_change(&mut self, change: Change) {
        match change {
            Change::Replaced => {
                (0..self.processes.len()).for_each(|group| self.begin_change(Change::Lost(group)));
                self.change =
                    self.start.map(|start| (start.elapsed() + Duration::from_secs(1), Change::Joined));
            }
            Change::Lost(group) | Change::Missed(group) => {
                let is_lost = |worker: &usize| self.groups[*worker] == group;
                let (gone, members): (Vec<usize>, Vec<usize>) = (0..self.groups.len()).partition(is_lost);
                let members: Vec<usize> =
                    members.into_iter().filter(|worker| !self.lost.contains(&self.groups[*worker])).collect();
                if !members.is_empty() && matches!(change, Change::Lost(_)) {
                    self.pending.push_back((0, Notice::Deal { members }));
                }
                self.pending.extend(gone.iter().map(|&worker| (worker, Notice::Gone)));
                for worker in 0..gone.len() {
                    self.processes[group].0.tell(worker, Command::StopNow);
                }
                self.lost.insert(group);
            }
            Change::Joined => {
                let Some(process) = self.waiting.take() else { return };
                let first = self.groups.len();
                if let Some(start) = self.start {
                    process.1.run.start(start);
                }
                self.add(process);
                let told = std::mem::take(&mut self.told);
                for worker in first..self.groups.len() {
                    told.iter().for_each(|command| self.pass_on(worker, command.clone()));
                    self.pending.push_back((worker, Notice::Joined));
                    self.pending.push_back((worker, Notice::Back));
                }
                let is_there = |worker: &usize| !self.lost.contains(&self.groups[*worker]);
                let members = (0..self.groups.len()).filter(is_there).collect();
                self.pending.push_back((0, Notice::Deal { members }));
            }
        }
    }

    fn pass_on(&mut self, worker: usize, command: Command) {
        let group = self.groups[worker];
        self.processes[group].0.tell(worker - self.firsts[group], command);
    }
}

impl Workers for Several {
    fn count(&self) -> usize {
        self.groups.len()
    }

    fn group(&self, worker: usize) -> usize {
        self.groups[worker]
    }

    fn tell(&mut self, worker: usize, command: Command) {
        if matches!(command, Command::Start { .. }) {
            let start = *self.start.get_or_insert_with(Instant::now);
            self.processes.iter().for_each(|(_, shared)| shared.run.start(start));
        }
        if worker == 0 && !matches!(command, Command::Flush { .. } | Command::Setup) {
            self.told.push(command.clone());
        }
        if !self.lost.contains(&self.groups[worker]) {
            self.pass_on(worker, command);
        }
    }

    fn others_within(&self) -> Option<Duration> {
        Some(Duration::from_millis(1_500))
    }

    async fn next(&mut self) -> (usize, Notice) {
        loop {
            if let Some(notice) = self.pending.pop_front() {
                return notice;
            }
            let change = self.start.zip(self.change).map(|(start, (after, _))| start + after);
            let saying: Vec<Saying<'_>> =
                self.processes.iter_mut().map(|(threads, _)| Box::pin(threads.next()) as _).collect();
            let mut saying = saying;
            let said = std::future::poll_fn(|context| {
                for (group, next) in saying.iter_mut().enumerate() {
                    if let Poll::Ready((worker, notice)) = next.as_mut().poll(context) {
                        return Poll::Ready((group, worker, notice));
                    }
                }
                Poll::Pending
            });
            let at = change.map(tokio::time::Instant::from_std);
            let said = tokio::select! {
                biased;
                () = async { match at { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } } => None,
                said = said => Some(said),
            };
            drop(saying);
            match said {
                None => {
                    if let Some((_, change)) = self.change.take() {
                        self.begin_change(change);
                    }
                }
                Some((group, _, _)) if self.lost.contains(&group) => {}
                Some((group, worker, notice)) => {
                    if let Notice::Interval { interval, .. } = &notice {
                        let seen = &mut *self.seen.borrow_mut();
                        seen.claimed.insert((group, worker), interval.claimed);
                        let most = seen.users.entry(group * 100 + worker).or_default();
                        *most = interval.users_peak.max(*most);
                    }
                    return (self.firsts[group] + worker, notice);
                }
            }
        }
    }

    async fn end(self) {
        for (threads, _) in self.processes.into_iter().chain(self.waiting) {
            threads.end().await;
        }
    }
}

/// A test with these options, the seed of all.
fn test(script: &str, options: &Options) -> LoadTest {
    let quiet = LoadTest::from_text(script_name(script), script_text(script));
    quiet.options(options.clone()).seed(7)
}

fn script_name(script: &str) -> &str {
    script.split_once('\n').map_or(script, |(name, _)| name)
}

fn script_text(script: &str) -> &str {
    script.split_once('\n').map_or("", |(_, text)| text)
}

/// Runs a script, whose first line is its path, in processes with so many threads each.
fn run(
    script: &str,
    options: Options,
    threads: &[usize],
    change: Option<(f64, Change)>,
) -> (Ending, Rc<RefCell<Seen>>) {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ending = runtime.block_on(async {
        let row = Process::row(threads);
        let all = threads.iter().sum();
        let mut several = Several {
            processes: Vec::new(),
            firsts: Vec::new(),
            groups: Vec::new(),
            waiting: None,
            told: Vec::new(),
            start: None,
            change: change.map(|(after, change)| (Duration::from_secs_f64(after), change)),
            lost: BTreeSet::new(),
            pending: VecDeque::new(),
            seen: seen.clone(),
        };
        let process = async |share: Share| {
            let prepared = test(script, &options).share(share).prepare().unwrap();
            let shared = Arc::new(prepared.shared);
            let Ok(threads) = Threads::start(&shared, None).await else { panic!("the script loads") };
            (threads, shared)
        };
        for &one in &row {
            several.add(process(Share::new(one, &row)).await);
        }
        if matches!(change, Some((_, Change::Joined | Change::Replaced))) {
            several.waiting = Some(process(Share::new(Process { first: all, here: 2 }, &row)).await);
        }
        let prepared = test(script, &options).prepare().unwrap();
        let shared = Arc::new(prepared.shared);
        let pulses = (0..all + 2).map(|_| Arc::default()).collect();
        let watchdog = Watchdog::new(&shared, pulses);
        let (driver, _snapshots) = Driver::new(prepared.info, shared, several, watchdog, None, None);
        let (_requests, _hold, inbox) = Requests::channel();
        driver.run(inbox).await
    });
    (ending, seen)
}

fn options(script: &str) -> String {
    format!("several.rhai\n{script}")
}

#[test]
fn users_of_a_load_are_split_over_processes_by_their_threads() {
    let script = options("fn iteration() { sleep(0.2); }");
    let set = Options {
        users: Some(300),
        spawn_rate: Some(3_000.0),
        run_time: Some(Duration::from_millis(1_300)),
        ..Options::default()
    };
    let (ending, seen) = run(&script, set, &[2, 2, 2], None);
    assert_eq!(ending.snapshot.users_max, 300);
    let users = &seen.borrow().users;
    let of = |group: usize| users.range(group * 100..(group + 1) * 100).map(|(_, users)| users).sum::<u64>();
    assert_eq!([0, 1, 2].map(of), [100, 100, 100]);
}

#[test]
fn a_rate_over_processes_starts_each_iteration_once() {
    let script = options(
        "scenario(\"s\", #{ executor: \"constant-arrival-rate\", exec: \"iteration\", rate: 999, duration: \"1s\", max_vus: 50 });\nfn iteration() {}",
    );
    let (ending, _) = run(&script, Options::default(), &[1; 7], None);
    let iterations = ending.snapshot.iterations;
    assert_eq!((iterations.started, iterations.dropped), (999, 0));
}

#[test]
fn a_number_of_iterations_and_the_rows_of_a_table_are_for_all_processes_together() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..1_000).map(|row| format!("{row}\n")).collect();
    std::fs::write(folder.path().join("rows.txt"), rows).unwrap();
    let script = format!(
        "{}\nconst ROWS = data::lines(\"rows.txt\");\nconst SUM = metrics::counter(\"sum\");\n\
         fn iteration() {{ SUM.add(parse_int(ROWS.unique(\"fail\"))); }}",
        folder.path().join("several.rhai").display()
    );
    let set =
        Options { users: Some(7), spawn_rate: Some(100.0), iterations: Some(1_000), ..Options::default() };
    let (ending, _) = run(&script, set, &[1, 2, 1], None);
    assert_eq!(ending.snapshot.iterations.started, 1_000);
    let errors = &ending.snapshot.script_errors;
    assert!(errors.is_empty(), "{errors:?}");
    let CustomFigures::Counter { count, .. } = ending.snapshot.custom[0].figures else { panic!("a counter") };
    assert_eq!(count, 499_500.0, "every row once");
}

/// A user that left would make room for the next one, and so all of the part would go, with nothing done.
#[test]
fn an_agent_without_rows_to_lease_does_not_use_up_its_part_of_a_number_at_a_rate_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.txt"), "row\n").unwrap();
    let script = format!(
        "{}\nconst ROWS = data::lines(\"rows.txt\");\nscenario(\"s\", #{{ executor: \"constant-arrival-rate\", \
         exec: \"iteration\", rate: 200, duration: \"4s\", max_vus: 20 }});\nfn iteration() {{ ROWS.lease(); }}",
        folder.path().join("several.rhai").display()
    );
    let set = Options { iterations: Some(120), ..Options::default() };
    for (threads, change, reason) in [
        (&[1, 1][..], None, "the table 'rows.txt' has 1 rows, too few for every agent to have one to lease"),
        (
            &[1],
            Some((0.3, Change::Replaced)),
            "the rows of the table 'rows.txt' were dealt before this agent joined",
        ),
    ] {
        let (ending, _) = run(&script, set.clone(), threads, change);
        let errors = &ending.snapshot.script_errors;
        assert!(errors.iter().any(|error| error.first.message.contains(reason)), "{errors:?}");
    }
}

#[test]
fn what_a_lost_process_had_left_of_a_number_of_iterations_is_done_by_the_others() {
    let script = options("fn iteration() { sleep(0.02); }");
    let set =
        Options { users: Some(9), spawn_rate: Some(100.0), iterations: Some(900), ..Options::default() };
    let (ending, seen) = run(&script, set, &[1, 1, 1], Some((1.2, Change::Lost(1))));
    assert_eq!(ending.snapshot.iterations.started, 900);
    let of = |group| seen.borrow().claimed[&(group, 0)];
    assert!(of(1) > 0 && of(1) < 300 && of(0) > 300, "{} and {}", of(1), of(0));
}

#[test]
fn so_are_those_that_users_have_together() {
    let script = options(
        "scenario(\"s\", #{ executor: \"shared-iterations\", exec: \"iteration\", vus: 9, iterations: 900 });\nfn iteration() { sleep(0.02); }",
    );
    let (ending, _) = run(&script, Options::default(), &[1, 1, 1], Some((1.2, Change::Lost(1))));
    assert_eq!(ending.snapshot.iterations.started, 900);
}

/// All of them, however few users there are, and wherever they are.
#[test]
fn a_number_of_iterations_is_started_where_some_processes_have_no_user() {
    let script = options("fn iteration() {}");
    for (threads, users, iterations) in
        [(&[1, 1, 1][..], 1, 10), (&[1, 1, 1, 1], 2, 7), (&[4, 4], 3, 50), (&[2, 1], 5, 3)]
    {
        let set = Options {
            users: Some(users),
            spawn_rate: Some(100.0),
            iterations: Some(iterations),
            ..Options::default()
        };
        let (ending, _) = run(&script, set, threads, None);
        assert_eq!(ending.snapshot.iterations.started, iterations, "{users} users on {threads:?}");
        assert_eq!((&ending.ended_by, &ending.snapshot.notes[..]), (&EndedBy::Iterations, &[][..]));
    }
    let script = options(
        "scenario(\"s\", #{ executor: \"shared-iterations\", exec: \"iteration\", vus: 2, iterations: 50 });\nfn iteration() {}",
    );
    let (ending, _) = run(&script, Options::default(), &[1, 1, 1], None);
    let iterations = ending.snapshot.iterations;
    assert_eq!((iterations.started, iterations.dropped), (50, 0));
}

#[test]
fn what_users_leave_of_a_number_of_iterations_is_started_by_those_of_other_processes() {
    let stops = "fn iteration() { if vu::id() == 2 && vu::iteration() == 2 { vu::stop() } sleep(0.01); }";
    let set = Options { users: Some(3), spawn_rate: Some(100.0), iterations: Some(60), ..Options::default() };
    let (ending, _) = run(&options(stops), set, &[1, 1, 1], None);
    assert_eq!((ending.snapshot.iterations.started, ending.ended_by), (60, EndedBy::Iterations));
    let script = format!(
        "scenario(\"s\", #{{ executor: \"shared-iterations\", exec: \"iteration\", vus: 3, iterations: 60 }});\n{stops}"
    );
    let (ending, _) = run(&options(&script), Options::default(), &[1, 1, 1], None);
    assert_eq!((ending.snapshot.iterations.started, ending.snapshot.iterations.dropped), (60, 0));
}

#[test]
fn iterations_that_nobody_is_left_to_start_are_told_of() {
    let stops = "fn iteration() { if vu::iteration() == 2 { vu::stop() } }";
    let own =
        "scenario(\"s\", #{ executor: \"shared-iterations\", exec: \"iteration\", vus: 3, iterations: 60 });";
    for threads in [&[1, 1, 1][..], &[2]] {
        let set =
            Options { users: Some(3), spawn_rate: Some(100.0), iterations: Some(60), ..Options::default() };
        let (ending, _) = run(&options(stops), set, threads, None);
        let left = 60 - ending.snapshot.iterations.started;
        let told = format!("{left} of the 60 iterations were not started: no user was left to start them");
        assert_eq!((left, &ending.snapshot.notes[..]), (54, &[told.clone()][..]));
        let (ending, _) = run(&options(&format!("{own}\n{stops}")), Options::default(), threads, None);
        assert_eq!(ending.snapshot.notes, [format!("scenario 's': {told}")]);
    }
}

#[test]
fn the_part_of_a_lost_process_that_is_dealt_to_nobody_is_told_of() {
    let script = "fn iteration() { sleep(0.01); }";
    let own = "scenario(\"s\", #{ executor: \"shared-iterations\", exec: \"iteration\", vus: 3, iterations: 300 });";
    let of_run =
        Options { users: Some(3), spawn_rate: Some(100.0), iterations: Some(300), ..Options::default() };
    let of_lane = (format!("{own}\n{script}"), Options::default(), "scenario 's': ");
    for (script, set, of) in [(script.to_owned(), of_run, ""), of_lane] {
        let (ending, _) = run(&options(&script), set, &[1, 1, 1], Some((0.4, Change::Missed(1))));
        let left = 300 - ending.snapshot.iterations.started;
        assert!((1..=100).contains(&left), "{left}");
        let told = format!(
            "{of}{left} of the 300 iterations were not started: they were the share of agents that are lost or have left"
        );
        assert_eq!((&ending.ended_by, &ending.snapshot.notes[..]), (&EndedBy::Iterations, &[told][..]));
    }
}

#[test]
fn what_is_due_after_a_process_is_lost_is_started_by_the_others() {
    let script = options(
        "scenario(\"s\", #{ executor: \"constant-arrival-rate\", exec: \"iteration\", rate: 300, duration: \"3s\", pre_allocated_vus: 30, max_vus: 60 });\nfn iteration() {}",
    );
    let (ending, _) = run(&script, Options::default(), &[1, 1, 1], Some((1.1, Change::Lost(1))));
    let iterations = ending.snapshot.iterations;
    assert_eq!(iterations.started + iterations.dropped, 900);
    // A third of what was due between its last figures and the second after its loss.
    assert!((100..=125).contains(&iterations.dropped), "{iterations:?}");
}

#[test]
fn one_that_joins_takes_a_part_of_users_and_of_a_rate() {
    let script = options(
        "scenario(\"stay\", #{ executor: \"constant-vus\", vus: 40, duration: \"3.3s\", exec: \"stay\" });\nscenario(\"rate\", #{ executor: \"constant-arrival-rate\", rate: 200, duration: \"3s\", max_vus: 20, exec: \"step\" });\nfn stay() { sleep(0.05); }\nfn step() {}",
    );
    let (ending, seen) = run(&script, Options::default(), &[1, 1], Some((0.5, Change::Joined)));
    let of = |name: &str| ending.snapshot.scenarios.iter().find(|one| &*one.name == name).unwrap().iterations;
    assert_eq!((of("rate").started, of("rate").dropped), (600, 0));
    let joined: u64 = seen.borrow().users.range(200..).map(|(_, users)| users).sum();
    assert!(joined >= 20, "{joined} users on its two threads");
}

/// A load of three seconds, and one of a number of iterations.
fn loads() -> [Options; 2] {
    let of = |run_time, iterations| Options {
        users: Some(4),
        spawn_rate: Some(100.0),
        run_time,
        iterations,
        ..Options::default()
    };
    [of(Some(Duration::from_secs(4)), None), of(None, Some(500))]
}

#[test]
fn a_load_that_nobody_makes_any_more_ends_with_that() {
    let script = options("fn iteration() { sleep(0.02); }");
    for set in loads() {
        let (ending, _) = run(&script, set, &[2], Some((0.5, Change::Lost(0))));
        let EndedBy::AgentsLost(reason) = &ending.ended_by else { panic!("{:?}", ending.ended_by) };
        assert!(reason.starts_with("no agent was left after 0."), "{reason}");
        let waited = ending.snapshot.elapsed.as_secs_f64();
        assert!((2.0..3.9).contains(&waited), "{waited}");
        assert!(ending.snapshot.marks.iter().any(|mark| mark.text.starts_with("no agent is left: ")));
    }
}

/// Whoever comes later has nothing to take up.
#[test]
fn a_load_that_ends_while_nobody_makes_it_is_not_waited_for_beyond_its_end() {
    let script = options(
        "scenario(\"s\", #{ executor: \"constant-vus\", exec: \"iteration\", vus: 4, duration: \"1s\" });\nfn iteration() { sleep(0.02); }",
    );
    for change in [Change::Lost(0), Change::Replaced] {
        let (ending, _) = run(&script, Options::default(), &[2], Some((0.4, change)));
        assert!(matches!(ending.ended_by, EndedBy::AgentsLost(_)), "{:?}", ending.ended_by);
        let (waited, marks) = (ending.snapshot.elapsed.as_secs_f64(), &ending.snapshot.marks);
        assert!((1.0..1.4).contains(&waited), "{waited}");
        assert!(marks.iter().any(|mark| mark.text.ends_with("the load until it ends")), "{marks:?}");
    }
}

#[test]
fn another_one_takes_up_a_load_that_nobody_makes_any_more() {
    let script = options("fn iteration() { sleep(0.02); }");
    for set in loads() {
        let (ending, seen) = run(&script, set, &[2], Some((0.5, Change::Replaced)));
        assert!(seen.borrow().users.range(100..).any(|(_, users)| *users > 0));
        match ending.ended_by {
            EndedBy::RunTime => assert!(ending.snapshot.elapsed.as_secs_f64() >= 4.0),
            EndedBy::Iterations => {
                // What the lost one has begun and could not tell of is not counted.
                let started = ending.snapshot.iterations.started;
                assert!((400..=500).contains(&started), "{started}");
            }
            other => panic!("{other:?}"),
        }
    }
}
