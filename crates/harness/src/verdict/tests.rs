use super::judge::holm;
use super::*;
use crate::{Canary, Conditions, Provenance, Record};

const CASE: &str = "HRNet_W18_C/f32/bs1/crop224/cpu/t1";

fn set(case: &str, times: &[u64], change: impl Fn(&mut Record)) -> Vec<Repeat> {
    let record = |ns: &u64| {
        let case = case.parse().expect("a case");
        let mut record = Record::new(case, String::new(), Ok(vec![*ns; 9]), Provenance::default());
        change(&mut record);
        record
    };
    Repeat::of(&times.iter().map(record).collect::<Vec<_>>())
}

fn one(before: &[Repeat], now: &[Repeat]) -> Verdict {
    let comparison = compare(before, now, &History::default(), Rule::default());
    comparison.verdicts.into_iter().next().expect("a case")
}

fn times(base: u64) -> Vec<u64> {
    (0..8).map(|process| base + process).collect()
}

#[test]
fn eight_processes_find_both_ways_and_call_the_rest_the_same() {
    let before = set(CASE, &times(1000), |_| {});
    let slow = one(&before, &set(CASE, &times(1100), |_| {}));
    assert_eq!((slow.answer, slow.basis), (Answer::Regressed, Some(Basis::Ranks)));
    let estimate = slow.decisive().expect("an estimate");
    assert!((1.095..1.105).contains(&estimate.ratio) && estimate.interval.low > 1.09);
    assert_eq!(
        one(&before, &set(CASE, &times(900), |_| {})).answer,
        Answer::Improved
    );
    let same = one(&before, &set(CASE, &times(1010), |_| {}));
    assert_eq!(same.answer, Answer::Same, "1 % is inside the threshold");
    let wide: Vec<u64> = (0..8).map(|process| 900 + 40 * process).collect();
    assert_eq!(
        one(&before, &set(CASE, &wide, |_| {})).answer,
        Answer::Inconclusive
    );
}

#[test]
fn one_process_finds_what_is_large_and_says_what_it_rests_on() {
    let before = set(CASE, &[1000], |_| {});
    let verdict = one(&before, &set(CASE, &[1200], |_| {}));
    assert_eq!(
        (verdict.answer, verdict.basis),
        (Answer::Inconclusive, Some(Basis::Spread))
    );
    assert_eq!(
        (verdict.why.as_str(), verdict.next.as_deref()),
        (
            "beyond the threshold of 3.0 %, but it may be chance; one process per side",
            Some("measure both with `--processes 8`")
        )
    );
    assert_eq!(
        one(&before, &set(CASE, &[1540], |_| {})).answer,
        Answer::Inconclusive,
        "the same program was seen to differ so much on a busy host"
    );
    assert_eq!(
        one(&before, &set(CASE, &[3000], |_| {})).answer,
        Answer::Regressed
    );
    let two = one(&set(CASE, &[1000, 1210], |_| {}), &set(CASE, &[1100], |_| {}));
    assert!(two.why.ends_with("; 2 and 1 processes"), "{}", two.why);
    let again = set(CASE, &[1000], |record| {
        record.started = "2026-11-29T03:00:00Z".into()
    });
    assert_eq!(
        one(&before, &again).answer,
        Answer::Inconclusive,
        "another process with the same time proves nothing"
    );
}

#[test]
fn the_same_records_are_the_same_and_not_evidence() {
    let one = set(CASE, &[1000], apart(11_000.0));
    let mut moved = one.clone();
    moved[0].handover_ns = Some([56.0, 11_364.0]);
    for records in [one, moved] {
        let comparison = compare(&records, &records, &History::default(), Rule::default());
        let verdict = &comparison.verdicts[0];
        assert_eq!(
            (verdict.answer, verdict.p, comparison.family),
            (Answer::Same, None, 0)
        );
        assert_eq!(verdict.why, "both are the same records");
        assert_eq!(verdict.decisive().map(|estimate| estimate.ratio), Some(1.0));
    }
    let failed = set(CASE, &[1], |record| {
        record.samples_ns.clear();
        record.error = Some("wrong answer".into());
    });
    let comparison = compare(&failed, &failed, &History::default(), Rule::default());
    assert_eq!(comparison.verdicts[0].answer, Answer::NoData);
    assert_eq!(comparison.lost(), 0, "it had no data before, either");
}

#[test]
fn a_slower_machine_is_no_slower_program() {
    let canary = |macs_per_s: f64| {
        move |record: &mut Record| {
            let canary = Canary {
                macs_per_s,
                tile_macs_per_s: None,
                bytes_per_s: 1e10,
                handover_ns: None,
            };
            record.conditions = Some(Conditions {
                canary: [canary; 2],
                load: None,
                steal: None,
                peak_resident_bytes: None,
            });
        }
    };
    let before = set(CASE, &times(1000), canary(1e11));
    let now = set(CASE, &times(1250), canary(0.8e11));
    let verdict = one(&before, &now);
    assert_eq!(verdict.answer, Answer::Same);
    assert!((verdict.ratio.expect("as measured").ratio - 1.25).abs() < 0.01);
    assert!(
        verdict.why.contains("the machine itself was 25 % slower"),
        "{}",
        verdict.why
    );
    // A change that is small beside the correction may be the correction's; a large one is not.
    let small = one(&before, &set(CASE, &times(1300), canary(0.8e11)));
    assert_eq!(small.answer, Answer::Inconclusive);
    assert!(
        small.why.starts_with("the machine's own change is so large")
            && small.next.is_some_and(|next| next.contains("--run")),
        "{}",
        small.why
    );
    let large = one(&before, &set(CASE, &times(1500), canary(0.8e11)));
    assert_eq!(large.answer, Answer::Regressed);
    let without = one(&before, &set(CASE, &times(1250), |_| {}));
    assert_eq!((without.answer, without.normalised), (Answer::Regressed, None));
}

/// A change of a record: the cores lay so far apart around it.
fn apart(ns: f64) -> impl Fn(&mut Record) {
    move |record| {
        let canary = Canary {
            macs_per_s: 1e11,
            tile_macs_per_s: None,
            bytes_per_s: 1e10,
            handover_ns: Some(ns),
        };
        record.conditions = Some(Conditions {
            canary: [canary; 2],
            load: None,
            steal: None,
            peak_resident_bytes: None,
        });
    }
}

#[test]
fn cores_that_lie_farther_apart_are_no_slower_program() {
    const CASE: &str = "HRNet_W18_C/int8/bs1/crop224/cpu/t2";
    let near = set(CASE, &times(9_200), apart(55.0));
    let far = set(CASE, &times(15_400), apart(217.0));
    let verdict = one(&near, &far);
    assert_eq!((verdict.answer, verdict.p), (Answer::Incomparable, None));
    assert_eq!(verdict.why, "hand-over between cores: 55 ns before, 217 ns now");
    let one_thread = Some("measure both with `--threads 1`: the cores moved");
    assert_eq!(verdict.next.as_deref(), one_thread);
    assert!(
        verdict.before.is_some() && verdict.now.is_some(),
        "both times are told"
    );
    let slower = one(&far, &set(CASE, &times(18_400), apart(250.0)));
    assert_eq!(
        slower.answer,
        Answer::Regressed,
        "at one distance changes are found"
    );

    // Cores that moved within the night: each distance is compared with its own.
    let moved = one(&near, &[far.clone(), near.clone()].concat());
    assert_eq!(moved.answer, Answer::Same, "{}", moved.why);
    assert!(
        moved
            .why
            .starts_with("of 8 and 16 processes, 0 and 8 are left out because the cores moved; "),
        "{}",
        moved.why
    );
    assert_eq!((moved.left_out, moved.next), ([0, 8], None));
    assert_eq!(moved.now.expect("times").processes, 8);
    let few = one(&near, &[far.clone(), near[..1].to_vec()].concat());
    assert_eq!(
        (few.answer, few.next.as_deref()),
        (Answer::Inconclusive, one_thread)
    );

    // Records that do not tell are judged by their times.
    let older = set(CASE, &times(9_200), |_| {});
    assert_eq!(one(&older, &far).answer, Answer::Regressed);
}

/// A change of a record: it is the repeat of this minute, and other work was seen around it.
fn busy(minute: u32) -> impl Fn(&mut Record) {
    move |record| {
        apart(60.0)(record);
        record.started = format!("2026-11-29T03:{minute:02}:00Z");
        record.conditions.as_mut().expect("set").load = Some(1.3);
    }
}

#[test]
fn a_noisy_machine_decides_only_between_sides_measured_in_turns() {
    let side = |base: u64, minute: &dyn Fn(u32) -> u32| -> Vec<Repeat> {
        let repeat = |index: u32| set(CASE, &[base + u64::from(index)], busy(minute(index)));
        (0..8).flat_map(repeat).collect()
    };
    let before = side(1000, &|index| index);
    let verdict = one(&before, &side(1540, &|index| 10 + index));
    assert_eq!(
        (verdict.answer, verdict.basis),
        (Answer::Inconclusive, Some(Basis::Ranks))
    );
    assert_eq!(
        verdict.why,
        "the machine was noisy, and the sides were measured at different times"
    );
    let next = verdict.next.expect("advice");
    assert!(next.contains("`zoo compare --run OLD_ZOO NEW_ZOO`"), "{next}");
    assert_eq!(
        one(&before, &side(1001, &|index| 10 + index)).answer,
        Answer::Same,
        "times that agree are no noise"
    );
    let turns = one(
        &side(1000, &|index| 2 * index),
        &side(1540, &|index| 2 * index + 1),
    );
    assert_eq!(turns.answer, Answer::Regressed, "{}", turns.why);
}

#[test]
fn more_processes_are_advised_with_what_they_gain() {
    let wide = |base: u64| -> Vec<u64> { (0..8).map(|process| base + 10 * process).collect() };
    let verdict = one(&set(CASE, &wide(1000), |_| {}), &set(CASE, &wide(1010), |_| {}));
    assert_eq!(verdict.answer, Answer::Inconclusive);
    let next = verdict.next.expect("advice");
    assert_eq!(next, "measure both with `--processes 32`");
    assert!(
        verdict
            .why
            .contains("; 24 more processes per side would narrow the interval to about ± "),
        "{}",
        verdict.why
    );
    // So wide that no number of processes that anybody waits for would do.
    let wider: Vec<u64> = (0..8).map(|process| 600 + 100 * process).collect();
    let later: Vec<u64> = wider.iter().map(|ns| ns + 7).collect();
    let verdict = one(&set(CASE, &wider, |_| {}), &set(CASE, &later, |_| {}));
    let next = verdict.next.expect("advice");
    assert!(next.ends_with("or on an idle machine"), "{next}");
}

#[test]
fn sides_in_turns_are_measured_longer_by_blocks_with_the_width_that_they_give() {
    let side = |base: u64, step: u64, first: u32| -> Vec<Repeat> {
        let repeat = |index: u32| {
            let started = format!("2026-11-29T03:{:02}:00Z", 2 * index + first);
            let change = |record: &mut Record| record.started.clone_from(&started);
            set(CASE, &[base + step * u64::from(index)], change)
        };
        (0..8).flat_map(repeat).collect()
    };
    let told = |step: u64| {
        let verdict = one(&side(1000, step, 0), &side(1007, step, 1));
        assert_eq!(verdict.answer, Answer::Inconclusive, "{}", verdict.why);
        (verdict.next.expect("advice"), verdict.why)
    };
    let (next, why) = told(10);
    assert_eq!(next, "measure longer: `--blocks 8`");
    assert!(
        why.contains("; `--blocks 8` would narrow the interval to about ± "),
        "{why}"
    );
    // So wide that no number of blocks that anybody waits for would do.
    let (next, why) = told(100);
    assert_eq!(next, "measure longer: `--blocks 32`, or on an idle machine");
    assert!(
        why.contains("; `--blocks 32` would narrow the interval to about ± "),
        "{why}"
    );
    let few = one(&side(1000, 10, 0)[..2], &side(1007, 10, 1)[..2]);
    assert_eq!(few.next.as_deref(), Some("measure longer: `--blocks 4`"));
    assert!(few.why.contains("; `--blocks 4` would narrow"), "{}", few.why);
}

#[test]
fn tiles_that_slow_down_are_no_slower_program() {
    let canary = |tiles: f64| {
        move |record: &mut Record| {
            let canary = Canary {
                macs_per_s: 1e11,
                tile_macs_per_s: Some(tiles),
                bytes_per_s: 1e10,
                handover_ns: None,
            };
            record.conditions = Some(Conditions {
                canary: [canary; 2],
                load: None,
                steal: None,
                peak_resident_bytes: None,
            });
        }
    };
    // Between no change at all and all of that of the tiles lies what a cell may change by.
    let before = set(CASE, &times(10_000), canary(2.35e12));
    for (now, answer) in [
        (10_500, Answer::Inconclusive),
        (15_300, Answer::Same),
        (23_000, Answer::Inconclusive),
        (30_000, Answer::Regressed),
    ] {
        let verdict = one(&before, &set(CASE, &times(now), canary(1e12)));
        assert_eq!(verdict.answer, answer, "{now}: {}", verdict.why);
    }
    let unknown = set(CASE, &times(23_000), |_| {});
    assert_eq!(one(&before, &unknown).answer, Answer::Regressed);
}

#[test]
fn a_night_is_held_against_the_last_one_with_the_cores_as_far_apart() {
    const MOVED: &str = "HRNet_W18_C/int8/bs1/crop224/cpu/t2";
    let night = |day: u64, t1: u64, t2: u64, ns: f64| {
        let dated = |record: &mut Record| record.started = format!("2026-11-{day}T03:00:00Z");
        let alone = set(CASE, &times(t1), dated);
        let both = set(MOVED, &times(t2), |record| {
            apart(ns)(record);
            dated(record);
        });
        [alone, both].concat()
    };
    let judged = |nights: &[Vec<Repeat>], now: &[Repeat]| {
        since(nights, now, &History::default(), Rule::default()).expect("nights")
    };
    let nights = [
        night(20, 17_000, 9_000, 55.0),
        night(21, 17_000, 9_200, 60.0),
        night(22, 18_700, 15_400, 217.0),
    ];
    let tonight = night(23, 18_700, 9_200, 50.0);
    let comparison = judged(&nights, &tonight);
    assert_eq!(comparison.before, "2026-11-22T03:00:00Z");
    let answers: Vec<Answer> = comparison.verdicts.iter().map(|verdict| verdict.answer).collect();
    assert_eq!(answers, [Answer::Same; 2], "{comparison:?}");
    let [one_thread, two_threads] = &comparison.verdicts[..] else {
        panic!("two cases")
    };
    assert!(!one_thread.why.contains("against 2026"), "{}", one_thread.why);
    let told = "; against 2026-11-21T03:00:00Z, the last night with the cores as far apart";
    assert!(two_threads.why.ends_with(told), "{}", two_threads.why);

    // A slower program is found across the night between; without a like night it is said that none can be.
    let slower = judged(&nights, &night(23, 18_700, 10_100, 50.0));
    assert_eq!(slower.verdicts[1].answer, Answer::Regressed);
    let alone = judged(&nights[2..], &tonight);
    assert_eq!(alone.verdicts[1].answer, Answer::Incomparable);
    let lost = judged(&nights, &tonight[..8]);
    assert_eq!(lost.verdicts[1].answer, Answer::NoData);
    assert!(since(&[], &tonight, &History::default(), Rule::default()).is_none());
}

#[test]
fn what_is_absent_failed_or_another_thing_is_told() {
    let before = set(CASE, &[1000], |_| {});
    let gone = one(&before, &[]);
    assert_eq!(
        (gone.answer, gone.why.as_str()),
        (Answer::NoData, "not measured now")
    );
    let failed = set(CASE, &[1], |record| {
        record.samples_ns.clear();
        record.error = Some("wrong answer".into());
    });
    let verdict = one(&before, &failed);
    assert_eq!(verdict.answer, Answer::NoData);
    assert_eq!(verdict.why, "failed now: wrong answer");
    assert!(!verdict.is_one_sided() && gone.is_one_sided());
    let threads = set("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[1000], |_| {});
    let verdict = one(&before, &threads);
    assert_eq!(verdict.answer, Answer::Incomparable);
    assert_eq!(verdict.why, "now measured with threads 2, not 1");
    let both = [failed, before.clone()].concat();
    let verdict = one(&both, &before);
    assert!(
        verdict
            .why
            .starts_with("failed repeats are left out: 1 before, 0 now"),
        "{}",
        verdict.why
    );
}

#[test]
fn p_values_are_adjusted_as_holm_has_them() {
    let cases = ["1", "2", "4", "8"].map(|batch| format!("HRNet_W18_C/f32/bs{batch}/crop224/cpu/t1"));
    let before: Vec<Repeat> = cases.iter().flat_map(|case| set(case, &[1000], |_| {})).collect();
    let mut verdicts = compare(&before, &before, &History::default(), Rule::default()).verdicts;
    for (verdict, p) in verdicts.iter_mut().zip([0.01, 0.04, 0.03, 0.005]) {
        verdict.p = Some(p);
    }
    holm(&mut verdicts);
    let adjusted: Vec<f64> = verdicts.iter().filter_map(|verdict| verdict.p_adjusted).collect();
    for (adjusted, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
        assert!((adjusted - expected).abs() < 1e-12, "{adjusted}, not {expected}");
    }
}
