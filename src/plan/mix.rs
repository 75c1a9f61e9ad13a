//! Assigns virtual users to scenarios: deterministic, and close to the weights at every moment.
//!
//! Pure. Follows Locust: scenarios with a fixed count come first; the rest are assigned so that the
//! Kullback-Leibler divergence of the users so far from the weights stays minimal, with ties in A-Z order of
//! names.

/// A scenario's share of the users.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Name of the scenario; ties are broken in A-Z order.
    pub name: String,
    /// Relative share of the users not taken by fixed counts; 0 gets none.
    pub weight: f64,
    /// Exact number of users, assigned before any share.
    pub fixed_count: Option<u64>,
}

/// The scenario of each of `users` virtual users, as indices into `shares`, in the order of their start.
///
/// When the fixed counts exceed `users`, the first ones in A-Z order get theirs. The result is shorter than
/// `users` when only fixed counts are declared and they add up to less.
pub fn deal(shares: &[Share], users: u64) -> Vec<usize> {
    let mut dealt = Vec::new();
    deal_on(shares, &mut dealt, users);
    dealt
}

/// The same for users beyond those already assigned, perhaps with other shares: `dealt` grows to `users`.
pub fn deal_on(shares: &[Share], dealt: &mut Vec<usize>, users: u64) {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|&a, &b| shares[a].name.cmp(&shares[b].name));
    let mut there = vec![0_u64; shares.len()];
    dealt.iter().for_each(|&index| there[index] += 1);
    for &index in &order {
        if let Some(count) = shares[index].fixed_count {
            let left = users.saturating_sub(dealt.len() as u64);
            dealt.extend(std::iter::repeat_n(index, count.saturating_sub(there[index]).min(left) as usize));
        }
    }
    let weighted: Vec<usize> =
        order.into_iter().filter(|&i| shares[i].fixed_count.is_none() && shares[i].weight > 0.0).collect();
    let sum: f64 = weighted.iter().map(|&i| shares[i].weight).sum();
    if weighted.is_empty() || sum <= 0.0 {
        return;
    }
    let weights: Vec<f64> = weighted.iter().map(|&i| shares[i].weight / sum).collect();
    let mut generated: Vec<f64> =
        weights.iter().zip(&weighted).map(|(weight, &index)| weight + there[index] as f64).collect();
    while (dealt.len() as u64) < users {
        // Of all candidates, the one whose addition lowers the divergence of `generated` from `weights` most.
        let gain = |k: usize| weights[k] * ((generated[k] + 1.0) / generated[k]).ln();
        let best = (1..weights.len()).fold(0, |best, k| if gain(k) > gain(best) { k } else { best });
        generated[best] += 1.0;
        dealt.push(weighted[best]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(name: &str, weight: f64, fixed_count: Option<u64>) -> Share {
        Share { name: name.into(), weight, fixed_count }
    }

    fn names(shares: &[Share], users: u64) -> String {
        deal(shares, users).into_iter().map(|i| shares[i].name.as_str()).collect()
    }

    #[test]
    fn five_to_one_is_dealt_as_locust_deals_it() {
        assert_eq!(names(&[share("B", 1.0, None), share("A", 5.0, None)], 12), "AABAAAAABAAA");
    }

    #[test]
    fn fixed_counts_come_first() {
        let shares = [share("B", 1.0, None), share("A", 9.0, None), share("C", 1.0, Some(2))];
        assert_eq!(names(&shares, 6), "CCAAAB");
        assert_eq!(names(&shares, 1), "C");
    }

    #[test]
    fn only_fixed_counts_leave_the_rest_unassigned() {
        assert_eq!(names(&[share("A", 1.0, Some(2))], 5), "AA");
        assert_eq!(names(&[share("A", 0.0, None)], 5), "");
    }

    #[test]
    fn dealing_on_is_the_same_as_dealing_at_once() {
        let shares = [share("B", 1.0, None), share("A", 5.0, None), share("C", 1.0, Some(3))];
        let mut dealt = deal(&shares, 7);
        deal_on(&shares, &mut dealt, 40);
        assert_eq!(dealt, deal(&shares, 40));
        let others = [share("B", 1.0, None), share("A", 0.0, None), share("C", 0.0, None)];
        deal_on(&others, &mut dealt, 44);
        assert_eq!(dealt[40..], [0, 0, 0, 0], "only those that have a weight now");
    }

    #[test]
    fn shares_are_exact_over_whole_rounds() {
        let shares = [share("A", 3.0, None), share("B", 2.0, None), share("C", 5.0, None)];
        let dealt = deal(&shares, 1000);
        let count = |k| dealt.iter().filter(|&&i| i == k).count();
        assert_eq!([count(0), count(1), count(2)], [300, 200, 500]);
    }
}
