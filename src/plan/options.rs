//! Settings of a run, in layers: flag > environment > file > script > default.
//!
//! Pure data. A layer leaves unset values `None`; [`Options::or`] overlays one layer on another.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::capacity::CapacityPlan;
use super::executor::{Arrivals, Late};
use super::stage::RunStages;
use crate::http::{DnsChoice, ProxyChoice, VersionChoice};
use crate::metrics::ThresholdText;

/// One layer of settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Base URL for relative URLs of the script.
    pub host: Option<String>,
    /// Maximum number of virtual users.
    pub users: Option<u64>,
    /// Virtual users started per second.
    pub spawn_rate: Option<f64>,
    /// Iterations started per second, however fast the target responds, instead of a number of users.
    pub rate: Option<f64>,
    /// Stages of the number of users, or of the rate.
    pub stages: Option<RunStages>,
    /// The script function that returns the number of users, or the rate, every second.
    pub shape: Option<String>,
    /// With a rate: maximum number of virtual users.
    pub max_vus: Option<u64>,
    /// With a rate: virtual users created at the start.
    pub pre_allocated_vus: Option<u64>,
    /// With a rate: how arrivals are spread over time.
    pub arrivals: Option<Arrivals>,
    /// With a rate: what happens to an iteration when no user is free.
    pub late: Option<Late>,
    /// Time from the start after which no iteration begins.
    pub run_time: Option<Duration>,
    /// The last part of the run time, in which users leave one by one; by default, all leave at its end.
    pub ramp_down: Option<Duration>,
    /// The same, counted from the end of the ramp-up.
    pub hold: Option<Duration>,
    /// Search for the highest rate at which a threshold is met, instead of a fixed load.
    pub capacity: Option<CapacityPlan>,
    /// Trial run of a script: one user makes one pass, that is, one iteration or all steps of a sequence.
    /// Overrides users, run time and iterations.
    pub once: bool,
    /// With `once`: all scenarios, one after the other, and each of their tasks once.
    pub each_task: bool,
    /// Total iterations of all virtual users.
    pub iterations: Option<u64>,
    /// Grace period for running iterations when the run stops.
    pub stop_timeout: Option<Duration>,
    /// Time that a running iteration may go on undisturbed when the time of its load is over, instead of being cut at its
    /// next sleep.
    pub graceful_stop: Option<Duration>,
    /// Time that `setup`, and the listeners to `test_start`, may take.
    pub setup_timeout: Option<Duration>,
    /// Seed for all random values.
    pub seed: Option<u64>,
    /// Worker threads.
    pub threads: Option<usize>,
    /// Names of the scenarios to run; empty is all.
    pub scenarios: Vec<String>,
    /// Weights of scenarios, instead of their own.
    pub weights: BTreeMap<String, f64>,
    /// Only tasks with one of these tags run; empty is all.
    pub include_tags: Vec<String>,
    /// Tasks with one of these tags do not run, even if they are included.
    pub exclude_tags: Vec<String>,
    /// Tags of every request.
    pub tags: BTreeMap<String, String>,
    /// Values of the script's parameters.
    pub params: BTreeMap<String, String>,
    /// Values for `env::get` that override the process environment.
    pub env: BTreeMap<String, String>,
    /// Additional folders for data files, besides the script's own.
    pub data_roots: Vec<PathBuf>,
    /// Thresholds. Those of an upper layer replace thresholds of a lower one on the same statistic and are added
    /// to the others.
    pub thresholds: Vec<ThresholdText>,
    /// HTTP settings.
    pub http: HttpLayer,
}

/// One layer of HTTP settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HttpLayer {
    /// Headers of every request.
    pub headers: BTreeMap<String, String>,
    /// Addresses to use for host names instead of a DNS lookup.
    pub resolve: BTreeMap<String, String>,
    /// Which address of a name a new connection goes to.
    pub dns: Option<DnsChoice>,
    /// How long the addresses of a name are used before it is looked up again.
    pub dns_ttl: Option<Duration>,
    /// Accept any certificate.
    pub insecure: Option<bool>,
    /// PEM file of certificates to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client certificate chain and its key.
    pub client_cert: Option<PathBuf>,
    /// The proxy.
    pub proxy: Option<ProxyChoice>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// Maximum number of redirects to follow.
    pub max_redirects: Option<u32>,
    /// Timeout of a whole request.
    pub timeout: Option<Duration>,
    /// Timeout for opening a connection.
    pub connect_timeout: Option<Duration>,
    /// Which version of HTTP is spoken.
    pub http_version: Option<VersionChoice>,
}

impl Options {
    /// Overlays this layer on a lower one, which supplies the values that this one leaves unset. Maps are merged
    /// by key.
    #[must_use]
    pub fn or(self, mut lower: Options) -> Options {
        self.drop_other_models(&mut lower);
        Options {
            host: self.host.or(lower.host),
            users: self.users.or(lower.users),
            spawn_rate: self.spawn_rate.or(lower.spawn_rate),
            rate: self.rate.or(lower.rate),
            stages: self.stages.or(lower.stages),
            shape: self.shape.or(lower.shape),
            max_vus: self.max_vus.or(lower.max_vus),
            pre_allocated_vus: self.pre_allocated_vus.or(lower.pre_allocated_vus),
            arrivals: self.arrivals.or(lower.arrivals),
            late: self.late.or(lower.late),
            run_time: self.run_time.or(lower.run_time),
            ramp_down: self.ramp_down.or(lower.ramp_down),
            hold: self.hold.or(lower.hold),
            capacity: self.capacity.or(lower.capacity),
            once: self.once || lower.once,
            each_task: self.each_task || lower.each_task,
            iterations: self.iterations.or(lower.iterations),
            stop_timeout: self.stop_timeout.or(lower.stop_timeout),
            graceful_stop: self.graceful_stop.or(lower.graceful_stop),
            setup_timeout: self.setup_timeout.or(lower.setup_timeout),
            seed: self.seed.or(lower.seed),
            threads: self.threads.or(lower.threads),
            scenarios: either(self.scenarios, lower.scenarios),
            weights: over(self.weights, lower.weights),
            include_tags: either(self.include_tags, lower.include_tags),
            exclude_tags: either(self.exclude_tags, lower.exclude_tags),
            tags: over(self.tags, lower.tags),
            params: over(self.params, lower.params),
            env: over(self.env, lower.env),
            data_roots: if self.data_roots.is_empty() { lower.data_roots } else { self.data_roots },
            thresholds: crate::metrics::over(self.thresholds, lower.thresholds),
            http: HttpLayer {
                headers: over(self.http.headers, lower.http.headers),
                resolve: over(self.http.resolve, lower.http.resolve),
                dns: self.http.dns.or(lower.http.dns),
                dns_ttl: self.http.dns_ttl.or(lower.http.dns_ttl),
                insecure: self.http.insecure.or(lower.http.insecure),
                ca_file: self.http.ca_file.or(lower.http.ca_file),
                client_cert: self.http.client_cert.or(lower.http.client_cert),
                proxy: self.http.proxy.or(lower.http.proxy),
                user_agent: self.http.user_agent.or(lower.http.user_agent),
                max_redirects: self.http.max_redirects.or(lower.http.max_redirects),
                timeout: self.http.timeout.or(lower.http.timeout),
                connect_timeout: self.http.connect_timeout.or(lower.http.connect_timeout),
                http_version: self.http.http_version.or(lower.http.http_version),
            },
        }
    }

    /// Users, a rate, stages and a shape are alternatives: a layer that sets one replaces all of them in a lower
    /// layer. So are `run_time` and `hold`.
    fn drop_other_models(&self, lower: &mut Options) {
        if self.rate.is_some() || self.stages.is_some() || self.shape.is_some() {
            (lower.users, lower.rate, lower.stages, lower.shape) = (None, None, None, None);
        } else if self.users.is_some() {
            (lower.rate, lower.stages, lower.shape) = (None, None, None);
        }
        if self.run_time.is_some() || self.hold.is_some() {
            (lower.run_time, lower.hold) = (None, None);
        }
    }
}

fn either(upper: Vec<String>, lower: Vec<String>) -> Vec<String> {
    if upper.is_empty() { lower } else { upper }
}

fn over<T>(upper: BTreeMap<String, T>, mut lower: BTreeMap<String, T>) -> BTreeMap<String, T> {
    lower.extend(upper);
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_layer_wins_and_maps_merge() {
        let upper = Options { users: Some(5), tags: [("a".into(), "1".into())].into(), ..Options::default() };
        let lower = Options {
            users: Some(9),
            host: Some("http://x".into()),
            tags: [("a".into(), "0".into()), ("b".into(), "2".into())].into(),
            ..Options::default()
        };
        let merged = upper.or(lower);
        assert_eq!(merged.users, Some(5));
        assert_eq!(merged.host.as_deref(), Some("http://x"));
        assert_eq!(merged.tags, [("a".into(), "1".into()), ("b".into(), "2".into())].into());
    }

    #[test]
    fn naming_one_load_model_replaces_the_lower_layers_other_one() {
        let script = Options { users: Some(9), run_time: Some(Duration::from_secs(9)), ..Options::default() };
        let flags = Options { rate: Some(5.0), ..Options::default() };
        let merged = flags.clone().or(script.clone());
        assert_eq!((merged.rate, merged.users), (Some(5.0), None));
        assert_eq!(merged.run_time, Some(Duration::from_secs(9)));
        let merged = script.clone().or(flags);
        assert_eq!((merged.rate, merged.users), (None, Some(9)));
        let hold = Options { hold: Some(Duration::from_secs(3)), ..Options::default() }.or(script);
        assert_eq!((hold.hold, hold.run_time, hold.users), (Some(Duration::from_secs(3)), None, Some(9)));
    }
}
