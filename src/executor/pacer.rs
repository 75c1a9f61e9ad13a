//! When an iteration of a rate is due: a pure function of its number, computed from the start.
//!
//! Owns the positions of iterations on the area under the rate's curve: iteration *i* is due when the area
//! reaches its position. Evenly spread, the position is *i*, so a rate over a time (a half-open window) has
//! exactly rate × time iterations, and what a ramp leaves over is carried into the next stretch. A Poisson
//! process has independent, exponentially distributed gaps of mean 1 between positions (a process of any rate is
//! that one with its time stretched): the number of iterations in a window is then random too, with mean and
//! variance rate × time, and the same for the same seed. Nothing here drifts, and nothing needs a clock.

use std::collections::VecDeque;

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::curve::Curve;
use crate::plan::{Arrivals, RateShare};

/// Positions of a Poisson process that are remembered behind the last one that was asked for.
const REMEMBERED: usize = 256;

/// The same when some were asked for that had been forgotten, as users do who wait while the load is dealt anew.
const MOST_REMEMBERED: usize = 1 << 20;

/// The positions of the iterations of one lane; cheap to make, one for each who asks.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    share: Option<RateShare>,
    process: Option<Process>,
}

/// A Poisson process of rate 1, walked through in order.
#[derive(Clone, Debug)]
struct Process {
    seed: u64,
    rng: Xoshiro256PlusPlus,
    /// Number of the last position.
    last: u64,
    /// The last positions, the newest at the end.
    positions: VecDeque<f64>,
    /// How many are kept.
    kept: usize,
}

impl Pacer {
    pub(crate) fn new(arrivals: Arrivals, seed: u64, share: Option<RateShare>) -> Pacer {
        let process = match arrivals {
            Arrivals::Uniform => None,
            Arrivals::Poisson => Some(Process::new(seed)),
        };
        Pacer { share, process }
    }

    /// Where iteration `index` of the lane is on the area under its rate.
    pub(crate) fn position(&mut self, index: u64) -> f64 {
        let global = self.share.as_ref().map_or(index, |share| share.global(index));
        match &mut self.process {
            None => global as f64,
            Some(process) => process.position(global),
        }
    }

    /// How many iterations of the lane are due when the area is this one.
    pub(crate) fn due(&mut self, area: f64) -> u64 {
        let global = match &mut self.process {
            // Half open: an area of exactly 5 are the iterations 0 to 4.
            None => (area - 1e-6).ceil().max(0.0) as u64,
            Some(process) => process.count(area),
        };
        self.share.as_ref().map_or(global, |share| share.count(global))
    }

    /// When an iteration at this position is due, in seconds from the start of the curve; `None` when it is not.
    pub(crate) fn time(position: f64, curve: &Curve) -> Option<f64> {
        curve.time_of(position)
    }
}

impl Process {
    fn new(seed: u64) -> Process {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let positions = VecDeque::from([gap(&mut rng)]);
        Process { seed, rng, last: 0, positions, kept: REMEMBERED }
    }

    fn position(&mut self, index: u64) -> f64 {
        if index + (self.positions.len() as u64) <= self.last {
            // Far behind: from the start again. It is asked for in order, so that is rare.
            let kept = (self.kept * 4).min(MOST_REMEMBERED);
            *self = Process { kept, ..Process::new(self.seed) };
        }
        while self.last < index {
            self.step();
        }
        self.positions[self.positions.len() - 1 - (self.last - index) as usize]
    }

    fn step(&mut self) {
        let next = self.positions.back().copied().unwrap_or(0.0) + gap(&mut self.rng);
        if self.positions.len() == self.kept {
            self.positions.pop_front();
        }
        self.positions.push_back(next);
        self.last += 1;
    }

    /// How many positions lie before this one.
    fn count(&mut self, area: f64) -> u64 {
        if self.positions.front().is_some_and(|&oldest| oldest >= area) && self.last > 0 {
            *self = Process { kept: self.kept, ..Process::new(self.seed) };
        }
        while self.positions.back().is_some_and(|&newest| newest < area) {
            self.step();
        }
        let after = self.positions.iter().rev().take_while(|&&position| position >= area).count() as u64;
        self.last + 1 - after
    }
}

/// Inversion of the exponential distribution with mean 1; 1 - u is in (0, 1], so the logarithm is finite.
fn gap(rng: &mut Xoshiro256PlusPlus) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}

#[cfg(test)]
mod tests {
    use super::super::curve::Stretch;
    use super::*;

    fn even() -> Pacer {
        Pacer::new(Arrivals::Uniform, 0, None)
    }

    /// The times of all iterations of a curve.
    fn times(mut pacer: Pacer, curve: &Curve) -> Vec<f64> {
        (0..).map_while(|index| Pacer::time(pacer.position(index), curve)).collect()
    }

    #[test]
    fn a_rate_over_a_time_is_exactly_rate_times_time() {
        for (rate, seconds) in [(137.0, 20.0), (2.0, 2.0), (0.1, 60.0), (1.0 / 3.0, 30.0), (333.3, 10.0)] {
            let curve = Curve::new([Stretch::flat(rate, seconds)]);
            let times = times(even(), &curve);
            assert_eq!(times.len() as f64, (rate * seconds - 1e-6).ceil(), "{rate}/s for {seconds} s");
            assert_eq!(times[0], 0.0, "the first is due at once");
            assert!(times.iter().all(|&time| time < seconds), "the window is half open");
            assert_eq!(even().due(curve.area(seconds)), times.len() as u64);
        }
        assert_eq!(times(even(), &Curve::new([Stretch::flat(137.0, 20.0)])).len(), 2740);
    }

    #[test]
    fn ramps_integrate_the_rate_and_carry_what_is_left_over() {
        let ramp = Curve::new([Stretch::new(0.0, 200.0, 10.0)]);
        assert_eq!(times(even(), &ramp).len(), 1000);
        // 2.5 + 2.5 + 2.5 + 2.5 iterations: each stretch alone would round.
        let many = Curve::new([
            Stretch::flat(2.5, 1.0),
            Stretch::new(2.5, 2.5, 1.0),
            Stretch::new(0.0, 5.0, 1.0),
            Stretch::new(5.0, 0.0, 1.0),
        ]);
        let times = times(even(), &many);
        assert_eq!(times.len(), 10);
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
        assert!((times[5] - 2.0).abs() < 1e-9, "the sixth begins the third second: {times:?}");
    }

    #[test]
    fn iterations_are_spaced_evenly_without_drift() {
        let curve = Curve::new([Stretch::flat(3.0, 1e6)]);
        let late = Pacer::time(even().position(2_999_999), &curve).unwrap();
        assert!((late - 2_999_999.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn one_seed_gives_the_same_instants_twice() {
        let curve = Curve::new([Stretch::new(0.0, 100.0, 10.0), Stretch::flat(100.0, 10.0)]);
        let instants = |seed| times(Pacer::new(Arrivals::Poisson, seed, None), &curve);
        assert_eq!(instants(7), instants(7));
        assert_ne!(instants(7), instants(8));
        let count = instants(7).len() as f64;
        assert!((count - 1500.0).abs() < 4.0 * 1500.0_f64.sqrt(), "{count} of about 1500");
    }

    #[test]
    fn gaps_of_a_poisson_process_are_exponential() {
        let curve = Curve::new([Stretch::flat(1000.0, 100.0)]);
        let times = times(Pacer::new(Arrivals::Poisson, 3, None), &curve);
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) * 1000.0).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.02 && (variance - 1.0).abs() < 0.05, "{mean}, {variance}");
        let beyond = gaps.iter().filter(|&&gap| gap > 1.0).count() as f64 / gaps.len() as f64;
        assert!((beyond - (-1.0_f64).exp()).abs() < 0.01, "{beyond}");
    }

    #[test]
    fn positions_can_be_asked_for_again_and_counted() {
        let mut pacer = Pacer::new(Arrivals::Poisson, 5, None);
        let all: Vec<f64> = (0..2000).map(|index| pacer.position(index)).collect();
        assert_eq!(pacer.position(1900), all[1900]);
        assert_eq!(pacer.position(3), all[3], "far behind");
        for area in [0.0, 0.5, 10.0, 1000.0, 20.0] {
            let expected = all.iter().filter(|&&position| position < area).count() as u64;
            assert_eq!(pacer.due(area), expected, "{area}");
        }
    }

    #[test]
    fn shares_of_a_rate_are_together_the_whole() {
        let curve = Curve::new([Stretch::flat(137.0, 20.0)]);
        for arrivals in [Arrivals::Uniform, Arrivals::Poisson] {
            let share = |offsets: &[u64]| {
                let share = RateShare { period: 4, offsets: offsets.to_vec() };
                times(Pacer::new(arrivals, 1, Some(share)), &curve)
            };
            let mut both = share(&[0, 1, 3]);
            both.extend(share(&[2]));
            both.sort_by(f64::total_cmp);
            assert_eq!(both, times(Pacer::new(arrivals, 1, None), &curve));
        }
    }
}
