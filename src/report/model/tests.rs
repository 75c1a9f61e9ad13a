//! The model against the figures it is made from.

use std::time::Duration;

use super::timeline::width_s;
use super::*;
use crate::fixture;

#[test]
fn buckets_add_up_to_the_totals_and_gaps_stay() {
    let snapshots = fixture::snapshots();
    let snapshot = snapshots.last().unwrap();
    let intervals = snapshot.intervals.taker().take();
    let record = fixture::record(EndedBy::RunTime, snapshot);
    let model = Model::new(&record, &intervals, &[]);
    let buckets = &model.timeline.buckets;
    assert_eq!((buckets.len(), model.timeline.width_s), (13, 1));
    let ok: u64 = buckets.iter().map(|bucket| bucket.ok.count()).sum();
    let failed: u64 = buckets.iter().map(|bucket| bucket.failed.count()).sum();
    assert_eq!((ok + failed, failed), (snapshot.total.requests, snapshot.total.failures));
    assert_eq!((model.ok.count(), model.failed.count()), (ok, failed));
    assert_eq!(model.ok.percentile_us(95.0), snapshot.total.ok.map(|ok| ok.percentile_us(Percentile::P95)));
    // The sixth second had no response: a rate of zero, and no latency.
    assert_eq!((buckets[5].ok_rate(), buckets[5].ok.percentile_us(95.0)), (Some(0.0), None));
    assert_eq!((buckets[5].users, buckets[12].phase), (Some(10), Some(crate::metrics::Phase::Done)));
    for view in &model.endpoints {
        let requests: u64 = view.buckets.iter().map(|b| b.ok.count() + b.failed.count()).sum();
        assert_eq!(requests, view.stats.requests, "{}", view.stats.name);
    }
    let shares: f64 = model.endpoints.iter().filter_map(|view| view.time_share).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    let heat = model.heat.as_ref().unwrap();
    assert_eq!(heat.columns.iter().flatten().sum::<u64>(), snapshot.total.requests);
    assert_eq!(heat.columns[5], [0; 24]);
    assert_eq!(&*model.worst_endpoints(1)[0].stats.name, "/quality/export");
}

#[test]
fn users_of_the_last_second_are_those_that_ran_in_it() {
    let users = |ends: &[u64]| {
        let mut load = fixture::Load::new();
        let mut snapshot = fixture::empty();
        for &users in ends {
            load.request("browse", ("GET", "/x"), 5_000, fixture::Verdict::Ok);
            snapshot = load.close(1_000, crate::metrics::Phase::Steady, users);
        }
        if ends == [0] {
            snapshot.users_max = 7;
        }
        let record = fixture::record(EndedBy::RunTime, &snapshot);
        let intervals = snapshot.intervals.taker().take();
        let timeline = Model::new(&record, &intervals, &[]).timeline;
        timeline.buckets.iter().map(|bucket| bucket.users.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(users(&[3, 3, 0]), [3, 3, 3]);
    assert_eq!(users(&[2, 4, 2, 0]), [2, 4, 4, 2]);
    assert_eq!(users(&[0]), [7], "a run of less than a second");
}

#[test]
fn no_chart_has_more_than_300_points() {
    for (seconds, width) in
        [(1, 1), (300, 1), (301, 2), (600, 2), (601, 5), (3_600, 30), (36_000, 300), (1_000_000, 3_600)]
    {
        assert_eq!(width_s(Duration::from_secs(seconds), 300), width, "{seconds} s");
    }
}

#[test]
fn an_empty_run_has_a_model() {
    let record = fixture::record(EndedBy::Stopped, &fixture::empty());
    let model = Model::new(&record, &[], &[]);
    assert_eq!((model.verdict, model.verdict_tone), ("NO REQUESTS", Judgement::Bad));
    assert!(model.heat.is_none() && model.endpoints.is_empty());
    assert_eq!(model.tiles[3].value, "-");
}
