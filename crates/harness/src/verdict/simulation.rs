//! Verdicts on simulated nights, whose truth is known: how often they give false alarms, and which changes they find.

#![expect(clippy::print_stdout, reason = "the table, for --nocapture")]

use fastrand::Rng;

use super::{Answer, History, Repeat, Rule, compare};
use crate::{Canary, Conditions, Provenance, Record};

const CELLS: usize = 40;
const SAMPLES: usize = 15;

/// The noise of a simulated night: shares, as standard deviations.
#[derive(Clone, Copy)]
struct Noise {
    /// The machine as a whole from night to night; canaries see it.
    machine: f64,
    /// Each cell from night to night.
    cell: f64,
    /// Each process of a cell; one in ten lies four times as far out.
    process: f64,
    /// Error of a canary.
    canary: f64,
    /// The chance that a process runs a quarter slower than others, to its end.
    slow: f64,
    /// The chance that the cores lie far apart for a process, and it takes 1.7 times as long.
    far: f64,
}

const NIGHTS: Noise = Noise {
    machine: 0.04,
    cell: 0.003,
    process: 0.005,
    canary: 0.003,
    slow: 0.0,
    far: 0.0,
};

/// Turns in one run: both sides see the same night.
const TURNS: Noise = Noise {
    machine: 0.0,
    cell: 0.0,
    ..NIGHTS
};

/// Nights of cells that have two speeds, as networks on two threads were seen to have.
const TWO_SPEEDS: Noise = Noise { slow: 0.3, ..NIGHTS };

/// Nights on which the host moves the cores.
const MOVED: Noise = Noise { far: 0.4, ..NIGHTS };

fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

/// Samples of a process: a slow drift, a tail to the right, and now and then an interruption of a fifth.
fn samples(rng: &mut Rng, level: f64) -> Vec<u64> {
    let mut drift = 0.0;
    let sample = |_| {
        drift = 0.9 * drift + 0.002 * normal(rng);
        let tail = -0.01 * (1.0 - rng.f64()).ln();
        let interruption = if rng.f64() < 0.03 { 0.2 } else { 0.0 };
        (level * (1.0 + drift + tail + interruption)) as u64
    };
    (0..SAMPLES).map(sample).collect()
}

/// A night of `processes` processes per cell; every tenth cell takes `slower` times as long.
fn night(rng: &mut Rng, noise: Noise, processes: u32, slower: f64) -> Vec<Repeat> {
    let machine = (noise.machine * normal(rng)).exp();
    let mut repeats = Vec::new();
    for cell in 0..CELLS {
        let truth = 1e7 * (1.0 + cell as f64) * if cell % 10 == 0 { slower } else { 1.0 };
        let tonight = truth * machine * (noise.cell * normal(rng)).exp();
        for process in 0..processes {
            let far = if rng.f64() < 0.1 { 4.0 } else { 1.0 };
            let slow = if rng.f64() < noise.slow { 1.25 } else { 1.0 };
            let apart = noise.far > 0.0 && rng.f64() < noise.far;
            let level =
                tonight * slow * if apart { 1.7 } else { 1.0 } * (far * noise.process * normal(rng)).exp();
            let case = format!("HRNet_W18_C/f32/bs{}/crop224/cpu/t2", cell + 1);
            let mut record = Record::new(
                case.parse().expect("a case"),
                String::new(),
                Ok(samples(rng, level)),
                Provenance::default(),
            );
            let canary = Canary {
                macs_per_s: 1e11 / machine * (noise.canary * normal(rng)).exp(),
                bytes_per_s: 1e10,
                handover_ns: Some(if apart { 217.0 } else { 60.0 }),
            };
            record.process = Some(process);
            record.conditions = Some(Conditions {
                canary: [canary; 2],
                load: None,
                steal: None,
                peak_resident_bytes: None,
            });
            repeats.push(Repeat::from(&record));
        }
    }
    repeats
}

/// A way to compare: how sets are made and what is known.
struct Plan {
    name: &'static str,
    noise: Noise,
    processes: u32,
    /// Nights of history.
    history: usize,
    rule: Rule,
}

const LEARNED: Rule = Rule {
    alpha: 0.05,
    threshold: None,
};

const PLANS: [Plan; 9] = [
    Plan {
        name: "in turns, 10 processes, threshold 1 %",
        noise: TURNS,
        processes: 10,
        history: 0,
        rule: Rule {
            alpha: 0.05,
            threshold: Some(0.01),
        },
    },
    Plan {
        name: "two nights, 8 processes, history of 12 nights",
        noise: NIGHTS,
        processes: 8,
        history: 12,
        rule: LEARNED,
    },
    Plan {
        name: "two nights, 8 processes, no history",
        noise: NIGHTS,
        processes: 8,
        history: 0,
        rule: LEARNED,
    },
    Plan {
        name: "two nights, 1 process, history of 12 nights",
        noise: NIGHTS,
        processes: 1,
        history: 12,
        rule: LEARNED,
    },
    Plan {
        name: "two nights, 1 process, no history",
        noise: NIGHTS,
        processes: 1,
        history: 0,
        rule: LEARNED,
    },
    Plan {
        name: "two speeds, 8 processes, history of 12 nights",
        noise: TWO_SPEEDS,
        processes: 8,
        history: 12,
        rule: LEARNED,
    },
    Plan {
        name: "two speeds, 1 process, history of 12 nights",
        noise: TWO_SPEEDS,
        processes: 1,
        history: 12,
        rule: LEARNED,
    },
    Plan {
        name: "moved cores, 8 processes, history of 12 nights",
        noise: MOVED,
        processes: 8,
        history: 12,
        rule: LEARNED,
    },
    Plan {
        name: "moved cores, 1 process, no history",
        noise: MOVED,
        processes: 1,
        history: 0,
        rule: LEARNED,
    },
];

/// The verdicts of a plan over many nights.
#[derive(Default)]
struct Tally {
    nights: usize,
    /// Nights on which a cell that did not change was called changed.
    false_alarms: usize,
    slowed: usize,
    detected: usize,
    unchanged: usize,
    same: usize,
}

impl Plan {
    fn run(&self, machines: usize, slower: f64) -> Tally {
        let mut rng = Rng::with_seed(7);
        let mut tally = Tally::default();
        for _ in 0..machines {
            let mut sets: Vec<Vec<Repeat>> = (0..self.history)
                .map(|_| night(&mut rng, self.noise, self.processes, 1.0))
                .collect();
            let history = History::of(&sets);
            for _ in 0..10 {
                let now = night(&mut rng, self.noise, self.processes, slower);
                let before = match sets.pop() {
                    Some(last) => last,
                    None => night(&mut rng, self.noise, self.processes, 1.0),
                };
                tally.add(&compare(&before, &now, &history, self.rule), slower > 1.0);
            }
        }
        tally
    }
}

impl Tally {
    fn add(&mut self, comparison: &super::Comparison, any_slowed: bool) {
        self.nights += 1;
        let mut alarm = false;
        for verdict in &comparison.verdicts {
            let cell = verdict.case.images() - 1;
            if any_slowed && cell.is_multiple_of(10) {
                self.slowed += 1;
                self.detected += usize::from(verdict.answer == Answer::Regressed);
                alarm |= verdict.answer == Answer::Improved;
            } else {
                self.unchanged += 1;
                self.same += usize::from(verdict.answer == Answer::Same);
                alarm |= matches!(verdict.answer, Answer::Regressed | Answer::Improved);
            }
        }
        self.false_alarms += usize::from(alarm);
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[test]
fn false_alarms_stay_below_the_stated_rate_and_power_is_what_the_table_says() {
    let mut table = format!(
        "{CELLS} cells, one in ten slowed down; nights with a false alarm, slowed cells found\n\
         {:<48}{:>8}{:>8}{:>8}{:>8}{:>8}\n",
        "", "A/A", "same", "2 %", "5 %", "10 %"
    );
    let mut found = Vec::new();
    for plan in &PLANS {
        let still = plan.run(30, 1.0);
        assert_eq!(still.nights, 300);
        assert!(
            percent(still.false_alarms, still.nights) <= 100.0 * plan.rule.alpha,
            "{}: {} of {} nights with a false alarm",
            plan.name,
            still.false_alarms,
            still.nights
        );
        let power = [1.02, 1.05, 1.1].map(|slower| {
            let tally = plan.run(5, slower);
            let share = percent(tally.false_alarms, tally.nights);
            assert!(
                share <= 10.0,
                "{}: {share} % false alarms beside true ones",
                plan.name
            );
            percent(tally.detected, tally.slowed)
        });
        let [two, five, ten] = power;
        table.push_str(&format!(
            "{:<48}{:>6.1} %{:>6.0} %{two:>6.0} %{five:>6.0} %{ten:>6.0} %\n",
            plan.name,
            percent(still.false_alarms, still.nights),
            percent(still.same, still.unchanged),
        ));
        found.push(power);
    }
    println!("{table}");
    let [turns, nights, .., moved, _] = found[..] else {
        panic!("a row for each plan")
    };
    assert!(turns[1] >= 95.0 && turns[2] >= 99.0, "{table}");
    assert!(nights[2] >= 95.0, "{table}");
    assert!(moved[2] >= 75.0, "{table}");
}
