//! How long a wait takes: from its description and the virtual user's random numbers. Pure.

use rand::{Rng, RngExt};

use crate::plan::Wait;

/// Seconds that a wait takes; 0 for those that do not depend on chance alone (pacing, script functions).
pub(crate) fn wait_seconds(wait: &Wait, rng: &mut impl Rng) -> f64 {
    match *wait {
        Wait::None | Wait::Pacing(_) | Wait::Script => 0.0,
        Wait::Constant(seconds) => seconds,
        Wait::Between(least, most) if least < most => rng.random_range(least..most),
        Wait::Between(least, _) => least,
        // Inversion of the exponential distribution; 1 - u is in (0, 1], so the logarithm is finite.
        Wait::Poisson(rate) => -(1.0 - rng.random::<f64>()).ln() / rate,
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    fn mean(wait: &Wait) -> f64 {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        (0..100_000).map(|_| wait_seconds(wait, &mut rng)).sum::<f64>() / 100_000.0
    }

    #[test]
    fn means_are_those_of_the_distributions() {
        assert_eq!(mean(&Wait::Constant(1.5)), 1.5);
        assert!((mean(&Wait::Between(1.0, 3.0)) - 2.0).abs() < 0.01);
        assert!((mean(&Wait::Poisson(4.0)) - 0.25).abs() < 0.005);
    }

    #[test]
    fn between_stays_between() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let waits = (0..1000).map(|_| wait_seconds(&Wait::Between(0.5, 0.6), &mut rng));
        assert!(waits.into_iter().all(|s| (0.5..0.6).contains(&s)));
        assert_eq!(wait_seconds(&Wait::Between(2.0, 2.0), &mut rng), 2.0);
    }

    #[test]
    fn one_seed_one_sequence() {
        let sequence = |seed| {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            (0..5).map(|_| wait_seconds(&Wait::Poisson(1.0), &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(sequence(3), sequence(3));
        assert_ne!(sequence(3), sequence(4));
    }
}
