//! The built-in load profiles. Pure.

use std::time::Duration;

use super::options::Options;
use super::stage::{RunStages, Stage};
use crate::metrics::ThresholdText;

/// A named load profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Average load: 10 users, two more each second, five minutes.
    Load,
    /// Above-average load: 50 users, ten more each second, ten minutes.
    Stress,
    /// A sudden spike: 5 users, 100 for a minute, 5 again.
    Spike,
    /// A soak test: 20 users for an hour.
    Endurance,
}

impl Profile {
    /// All profiles, in the order in which they run.
    pub const ALL: [Profile; 4] = [Profile::Load, Profile::Stress, Profile::Spike, Profile::Endurance];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Load => "load",
            Profile::Stress => "stress",
            Profile::Spike => "spike",
            Profile::Endurance => "endurance",
        }
    }

    /// The profile of this name.
    pub fn named(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Its settings.
    pub fn options(self) -> Options {
        let steady = |users, spawn_rate, seconds| Options {
            users: Some(users),
            spawn_rate: Some(spawn_rate),
            run_time: Some(Duration::from_secs(seconds)),
            ..Options::default()
        };
        match self {
            Profile::Load => steady(10, 2.0, 300),
            Profile::Stress => steady(50, 10.0, 600),
            Profile::Endurance => steady(20, 2.0, 3_600),
            Profile::Spike => {
                let stage = |name: &str, seconds, target| Stage {
                    duration: Duration::from_secs(seconds),
                    target,
                    name: Some(name.to_owned()),
                };
                let stages = vec![
                    stage("before", 0, 5.0),
                    stage("before", 60, 5.0),
                    stage("rush", 10, 100.0),
                    stage("peak", 60, 100.0),
                    stage("relief", 10, 5.0),
                    stage("after", 60, 5.0),
                ];
                Options { stages: Some(RunStages { stages, are_rates: false }), ..Options::default() }
            }
        }
    }

    /// Default thresholds for this kind of load. Those on the target's process apply only when one is monitored:
    /// without data they would fail. A threshold on the same statistic replaces one of these, whatever part of the run it is
    /// on.
    pub fn limits(self) -> Vec<ThresholdText> {
        let p95 = match self {
            // Higher load, so a higher threshold.
            Profile::Stress => "http_req_duration: p(95) < 300ms",
            Profile::Load | Profile::Spike | Profile::Endurance => "http_req_duration: p(95) < 200ms",
        };
        let always = [
            "http_req_duration: p(50) < 100ms",
            p95,
            "http_reqs: rate > 50/s in steady",
            "http_req_failed: rate < 1%",
        ];
        let if_measured = ["target_cpu: avg < 85%", "target_memory: max < 1GB"];
        let place = format!("--profile {}", self.name());
        let text = |text: &str, if_measured| ThresholdText {
            if_measured,
            is_default: true,
            ..ThresholdText::new(text, place.clone())
        };
        let always = always.into_iter().map(|limit| text(limit, false));
        always.chain(if_measured.into_iter().map(|limit| text(limit, true))).collect()
    }
}

impl Options {
    /// The part of these settings that defines the load and its thresholds, not its target.
    #[must_use]
    pub fn load_only(self) -> Options {
        Options {
            users: self.users,
            spawn_rate: self.spawn_rate,
            rate: self.rate,
            stages: self.stages,
            shape: self.shape,
            max_vus: self.max_vus,
            pre_allocated_vus: self.pre_allocated_vus,
            arrivals: self.arrivals,
            late: self.late,
            run_time: self.run_time,
            ramp_down: self.ramp_down,
            hold: self.hold,
            iterations: self.iterations,
            stop_timeout: self.stop_timeout,
            thresholds: self.thresholds,
            ..Options::default()
        }
    }

    /// The same load stretched by `scale`: stages, run time and ramp-up.
    #[must_use]
    pub fn in_time(mut self, scale: f64) -> Options {
        self.run_time = self.run_time.map(|time| time.mul_f64(scale));
        self.ramp_down = self.ramp_down.map(|time| time.mul_f64(scale));
        self.hold = self.hold.map(|time| time.mul_f64(scale));
        self.spawn_rate = self.spawn_rate.map(|rate| rate / scale);
        for stage in self.stages.iter_mut().flat_map(|stages| &mut stages.stages) {
            stage.duration = stage.duration.mul_f64(scale);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_profiles_and_back() {
        for profile in Profile::ALL {
            assert_eq!(Profile::named(profile.name()), Some(profile));
        }
        assert_eq!(Profile::named("Load"), None);
    }

    #[test]
    fn a_scale_shortens_every_time_and_keeps_the_load() {
        let load = Profile::Load.options().in_time(0.1);
        assert_eq!((load.users, load.run_time), (Some(10), Some(Duration::from_secs(30))));
        assert_eq!(load.spawn_rate, Some(20.0), "all users are there after half a second instead of five");
        let whole = |options: Options| -> Duration {
            options.stages.unwrap().stages.iter().map(|stage| stage.duration).sum()
        };
        assert_eq!(whole(Profile::Spike.options()), Duration::from_secs(200));
        assert_eq!(whole(Profile::Spike.options().in_time(0.02)), Duration::from_secs(4));
    }
}
