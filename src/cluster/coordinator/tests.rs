//! What the coordinator makes of what it hears, said to it directly: nothing here reaches a NATS.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::OnAgentLoss;
use super::kept::Kept;
use super::roster::Member;
use super::service::Heard;
use super::workers::{Away, Cluster, DONE_WITHIN, Parts, Plan};
use crate::cluster::link::{Link, NatsOptions};
use crate::cluster::protocol::Word;
use crate::cluster::seal::Key;
use crate::cluster::wire::IntervalMessage;
use crate::data::{Blob, Hash};
use crate::metrics::{AgentLoss, Recorder, WorkerHealth};
use crate::run::{LoadTest, Notice};
use crate::script::RunState;
use crate::vu::Interval;

/// So many agents with a thread each, numbered.
fn members(count: usize) -> Vec<Member> {
    let hello = |number: usize| {
        let name = format!("a{number}");
        let hello = serde_json::json!({ "protocol": 1, "version": "1.0.0", "id": name, "name": name });
        serde_json::from_value(hello).unwrap()
    };
    Member::numbered((0..count).map(hello).collect())
}

/// The workers of a run with so many agents, over a NATS that is not there, and a way to say what is heard.
async fn cluster(count: usize) -> (Cluster, mpsc::UnboundedSender<Heard>) {
    let nats = NatsOptions { url: "nats://127.0.0.1:1".to_owned(), ..NatsOptions::default() };
    let link = Link::connect_patiently(&nats, "test", |_| {}).await.unwrap();
    let (say, heard) = mpsc::unbounded_channel();
    let parts = Parts {
        outbox: link.outbox("run", "test".to_owned(), usize::MAX),
        link,
        run: "run".to_owned(),
        key: Arc::new(Key::random().unwrap()),
        heard,
        service: tokio::spawn(async {}),
        runtime: tokio::runtime::Handle::current(),
        on_loss: OnAgentLoss::Redistribute,
        job: Blob { hash: Hash::of(b""), size: 0 },
        kept: None,
    };
    let plan = Plan { run_state: Arc::new(RunState::default()), messages: Arc::new(|_| {}) };
    (Cluster::new(parts, members(count), plan), say)
}

/// What an agent with one thread says of a second.
fn second(agent: usize, second: u64) -> Heard {
    let interval = Interval {
        delta: Recorder::new(1).take(),
        users: 1,
        users_peak: 1,
        in_flight: 0,
        interrupted_requests: 0,
        health: WorkerHealth::default(),
        claimed: 0,
        lanes: Vec::new(),
    };
    let message = IntervalMessage { sequence: second, second, dropped: 0, threads: vec![(0, interval)] };
    Heard::Second { agent, message: Box::new(message), health: Box::default() }
}

/// The members of each deal that the driver is told of next, and the workers that are said to be back.
fn deals_and_returns(cluster: &mut Cluster) -> (Vec<Vec<usize>>, Vec<usize>) {
    let (mut deals, mut back) = (Vec::new(), Vec::new());
    for (worker, notice) in cluster.ready.drain(..) {
        match notice {
            Notice::Deal { members } => deals.push(members),
            Notice::Back => back.push(worker),
            _ => {}
        }
    }
    (deals, back)
}

#[tokio::test]
async fn what_came_while_nats_was_away_is_kept_when_it_goes_away_again() {
    let (mut cluster, _say) = cluster(2).await;
    // In the second 8, so that an agent that has told of none is behind.
    cluster.run_state.start(std::time::Instant::now() - Duration::from_millis(8_500));
    cluster.hear(Heard::NatsAway);
    cluster.hear(Heard::NatsBack);
    cluster.hear(second(0, 7));
    cluster.hear(Heard::Word { agent: 0, word: Word::Left { reason: "why".to_owned(), intervals: 1 } });
    cluster.hear(Heard::NatsAway);
    let away = cluster.away.as_ref().unwrap();
    assert_eq!((away.seconds[&7].len(), away.left.len(), away.catch_up_by), (1, 1, None));
    cluster.hear(Heard::NatsBack);
    cluster.hear(second(1, 7));
    let notices: Vec<&Notice> = cluster.ready.iter().map(|(_, notice)| notice).collect();
    let past = notices
        .iter()
        .position(|notice| matches!(notice, Notice::Past { second: 7, intervals } if intervals.len() == 2));
    let gone = notices.iter().position(|notice| matches!(notice, Notice::Gone));
    assert!(past.is_some() && past < gone, "{notices:?}");
}

/// Agents 0 and 1 began the run that is resumed, 2 and 3 have joined it; the load was dealt to these.
async fn resumed(dealt_to: &[usize]) -> Cluster {
    let (mut cluster, _) = cluster(4).await;
    cluster.founders = 2;
    cluster.is_resumed = true;
    cluster.away = Some(Away::since(Instant::now()));
    cluster.dealt_to = Some(dealt_to.to_vec());
    cluster
}

#[tokio::test]
async fn an_agent_that_has_joined_and_is_lost_since_takes_no_part_when_the_run_is_resumed() {
    let mut cluster = resumed(&[0, 1, 3]).await;
    let losses = [AgentLoss { at: Duration::from_secs(3), reason: "silence".to_owned(), until: None }];
    cluster.was_lost(2, &losses, Instant::now());
    for agent in [2, 3] {
        cluster.hear(Heard::Word { agent, word: Word::Ready });
    }
    assert!(cluster.workers[2].is_gone && !cluster.workers[3].is_gone);
    assert_eq!(deals_and_returns(&mut cluster), (vec![], vec![3]), "what was dealt is not dealt again");
}

#[tokio::test]
async fn an_agent_that_joined_just_before_the_coordinator_died_gets_its_part_from_the_next() {
    let mut cluster = resumed(&[0, 1, 3]).await;
    cluster.hear(Heard::Word { agent: 2, word: Word::Ready });
    assert_eq!(deals_and_returns(&mut cluster), (vec![vec![0, 1, 2, 3]], vec![2]));
    assert!(cluster.is_dealt_to(2));
}

#[tokio::test]
async fn when_the_stream_is_gone_every_agent_is_lost_and_no_share_is_dealt() {
    let (mut cluster, _say) = cluster(3).await;
    cluster.hear(Heard::Word { agent: 2, word: Word::Done });
    cluster.hear(Heard::StreamGone);
    for agent in [0, 1] {
        cluster.hear(Heard::Lost { agent, silent_for: Duration::from_secs(11) });
    }
    let notices: Vec<String> = cluster.ready.iter().map(|notice| format!("{notice:?}")).collect();
    assert_eq!(notices.iter().filter(|notice| notice.contains("Lost")).count(), 2, "{notices:?}");
    assert!(!notices.iter().any(|notice| notice.contains("Deal")), "{notices:?}");
    assert!(notices[0].contains("NATS does not know the run any more"), "{notices:?}");
}

#[tokio::test]
async fn an_agent_that_has_left_is_not_waited_for_when_a_run_is_called_off() {
    let (cluster, say) = cluster(2).await;
    say.send(Heard::Word { agent: 0, word: Word::Done }).unwrap();
    say.send(Heard::Word { agent: 1, word: Word::Left { reason: "why".to_owned(), intervals: 0 } }).unwrap();
    let begun = Instant::now();
    cluster.abandon().await;
    assert!(begun.elapsed() < DONE_WITHIN, "{:?}", begun.elapsed());
}

#[test]
fn only_agents_that_may_be_back_are_awaited_when_a_run_is_resumed() {
    let job = LoadTest::from_text("a.rhai", "fn iteration() {}").prepare().unwrap().job().unwrap();
    let mut kept =
        Kept::new("run", [0; 32], NatsOptions::default(), None, members(3), job, OnAgentLoss::Continue);
    let loss = AgentLoss { at: Duration::ZERO, reason: "why".to_owned(), until: None };
    let back = AgentLoss { until: Some(Duration::from_secs(1)), ..loss.clone() };
    kept.losses = [(0, vec![loss.clone()]), (1, vec![loss]), (2, vec![back])].into();
    kept.parted = [1].into();
    assert_eq!(kept.lost().collect::<Vec<_>>(), [0]);
}
