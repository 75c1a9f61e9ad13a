//! Markov chains of tasks: what can be reached from the first. Pure.

/// The tasks that are never reached when a chain begins at `start`: indices into `next`, ascending.
pub(super) fn unreachable(start: usize, next: &[Vec<(usize, u32)>]) -> Vec<usize> {
    let mut reached = vec![false; next.len()];
    let mut open = vec![start];
    while let Some(task) = open.pop() {
        if !std::mem::replace(&mut reached[task], true) {
            open.extend(next[task].iter().map(|&(target, _)| target));
        }
    }
    (0..next.len()).filter(|&task| !reached[task]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_path_leads_to_is_unreachable() {
        // 0 → 1 → 0, 2 → 0, 3 → 3
        let next = [vec![(1, 1)], vec![(0, 2)], vec![(0, 1)], vec![(3, 1)]];
        assert_eq!(unreachable(0, &next), [2, 3]);
        assert_eq!(unreachable(2, &next), [3]);
        assert_eq!(unreachable(3, &next), [0, 1, 2]);
    }
}
