//! Tells if a case's threads lay as far from each other before as now. A host moves a virtual machine's cores between its
//! clusters, and a network on several threads takes up to 1.7 times as long where they lie far: no program changed then.
//! If another process holds one of the cores, a hand-over takes microseconds, and nothing can be compared, either.

use super::{Repeat, comparable};

/// Cores lay clearly farther apart if a hand-over between two threads takes at least this many times as long.
pub const FARTHER: f64 = 2.0;

/// The repeats of both sides with the cores at one distance: the one with the most on the side that has fewer. All repeats
/// where the time of a hand-over is not known of every one, as on one thread.
///
/// # Errors
/// If no repeat before is like one now; says why in words.
pub(super) fn alike<'a>(before: &[&'a Repeat], now: &[&'a Repeat]) -> Result<[Vec<&'a Repeat>; 2], String> {
    let sides = [before, now];
    let [Some(old), Some(new)] = sides.map(handovers) else {
        return Ok(sides.map(<[_]>::to_vec));
    };
    // A repeat within which the cores moved is in no such range.
    let from = |nearest: f64| {
        let within = |[near, far]: [f64; 2]| near >= nearest && far <= FARTHER * nearest;
        let inside = |repeat: &&&Repeat| repeat.handover_ns.is_some_and(within);
        sides.map(|side| side.iter().filter(inside).copied().collect::<Vec<_>>())
    };
    old.iter()
        .chain(&new)
        .map(|[near, _]| from(*near))
        .filter(|[before, now]| !before.is_empty() && !now.is_empty())
        .max_by_key(|[before, now]| (before.len().min(now.len()), before.len() + now.len()))
        .ok_or_else(|| comparable::told("hand-over between cores", &told(&old), &told(&new)))
}

/// The times of hand-overs around repeats; `None` if one of them is unknown.
fn handovers(repeats: &[&Repeat]) -> Option<Vec<[f64; 2]>> {
    repeats.iter().map(|repeat| repeat.handover_ns).collect()
}

/// From the shortest to the longest.
fn told(handovers: &[[f64; 2]]) -> String {
    let low = handovers
        .iter()
        .map(|[near, _]| *near)
        .fold(f64::INFINITY, f64::min);
    let high = handovers.iter().map(|[_, far]| *far).fold(0.0, f64::max);
    match [low, high].map(|ns| format!("{ns:.0}")) {
        [low, high] if low == high => format!("{low} ns"),
        [low, high] => format!("{low} to {high} ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Provenance, Record};

    fn repeats(handovers: &[[f64; 2]]) -> Vec<Repeat> {
        let case = "HRNet_W18_C/int8/bs1/crop224/cpu/t2".parse().expect("a case");
        let record = Record::new(case, String::new(), Ok(vec![1]), Provenance::default());
        let repeat = |handover: &[f64; 2]| Repeat {
            handover_ns: Some(*handover),
            ..Repeat::from(&record)
        };
        handovers.iter().map(repeat).collect()
    }

    /// The number of repeats that are left on each side, or the reason why none are.
    fn left(before: &[Repeat], now: &[Repeat]) -> Result<[usize; 2], String> {
        let all = [before, now].map(|side| side.iter().collect::<Vec<_>>());
        alike(&all[0], &all[1]).map(|sides| sides.map(|side| side.len()))
    }

    #[test]
    fn what_lay_as_far_apart_is_left_and_else_both_distances_are_told() {
        let near = repeats(&[[47.0, 75.0]; 2]);
        let far = repeats(&[[215.0, 220.0]; 3]);
        let mixed = [near.clone(), far.clone(), repeats(&[[55.0, 217.0]])].concat();
        assert_eq!(left(&near, &near), Ok([2, 2]));
        assert_eq!(left(&near, &mixed), Ok([2, 2]));
        assert_eq!(left(&mixed, &far), Ok([3, 3]));
        assert_eq!(left(&mixed, &mixed), Ok([3, 3]), "most of them lay far");
        assert_eq!(
            left(&near, &far).expect_err("far"),
            "hand-over between cores: 47 to 75 ns before, 215 to 220 ns now"
        );
        let moved = repeats(&[[55.0, 217.0]]);
        assert!(left(&moved, &moved).is_err(), "the cores moved meanwhile");
        let [once, twice, more] = [50.0, 100.0, 101.0].map(|ns| repeats(&[[ns; 2]]));
        assert_eq!(left(&once, &twice), Ok([1, 1]));
        assert_eq!(
            left(&more, &once).expect_err("far"),
            "hand-over between cores: 101 ns before, 50 ns now"
        );
    }

    #[test]
    fn where_a_distance_is_not_known_all_are_left() {
        let far = repeats(&[[50.0; 2], [217.0; 2]]);
        let mut older = far.clone();
        older[1].handover_ns = None;
        assert_eq!(left(&far, &older), Ok([2, 2]));
        assert_eq!(left(&older, &far[1..]), Ok([2, 1]));
    }
}
