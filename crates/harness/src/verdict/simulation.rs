//! Verdicts on simulated nights, whose truth is known: how often they give false alarms, and which changes they find.

#![expect(clippy::print_stdout, reason = "the table, for --nocapture")]

use fastrand::Rng;

use super::{Answer, History, Repeat, Rule, compare};
use crate::{Canary, Conditions, Provenance, Record};

/// Cells of a plan with as many as a night has; one in ten is slowed down.
const MANY: usize = 40;
/// Cells of a quick night.
const FEW: usize = 4;
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
    /// The largest share by which a cell's times of a night are all longer or all shorter than usual, drawn evenly; no canary
    /// sees it.
    shift: f64,
    /// Other work is seen around each cell.
    busy: bool,
    /// The largest share by which a cell follows the machine more or less than its canary does.
    loose: f64,
}

const NIGHTS: Noise = Noise {
    machine: 0.04,
    cell: 0.003,
    process: 0.005,
    canary: 0.003,
    slow: 0.0,
    far: 0.0,
    shift: 0.0,
    busy: false,
    loose: 0.0,
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

/// Nights of a machine whose speed drifts, so that all processes of a cell share a shift of up to half its time.
const DRIFT: Noise = Noise { shift: 0.5, ..NIGHTS };

/// The same, and the records say that the machine was busy.
const BUSY: Noise = Noise { busy: true, ..DRIFT };

/// Nights of a machine whose speed changes by a tenth or more, which cells follow by three quarters to five quarters.
const LOOSE: Noise = Noise {
    machine: 0.1,
    loose: 0.25,
    ..NIGHTS
};

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

/// A night's size and what is slower in it.
#[derive(Clone, Copy)]
struct Night {
    noise: Noise,
    cells: usize,
    /// Processes per cell.
    processes: u32,
    /// Every tenth cell takes this many times as long.
    slower: f64,
    /// Its number, by which nights follow each other; nights of one number were measured in turns.
    number: usize,
}

impl Night {
    fn repeats(self, rng: &mut Rng) -> Vec<Repeat> {
        let machine = (self.noise.machine * normal(rng)).exp();
        let mut repeats = Vec::new();
        for cell in 0..self.cells {
            let truth = 1e7 * (1.0 + cell as f64) * if cell % 10 == 0 { self.slower } else { 1.0 };
            let tonight = truth * machine * (self.noise.cell * normal(rng)).exp();
            let shift = match self.noise.shift {
                0.0 => 1.0,
                most => 1.0 + most * (2.0 * rng.f64() - 1.0),
            };
            // The first cell follows the machine least, the last one most.
            let more = 2.0 * cell as f64 / (self.cells.max(2) - 1) as f64 - 1.0;
            let follows = machine.powf(self.noise.loose * more);
            for process in 0..self.processes {
                let level = tonight * shift * follows;
                let record = self.record(rng, cell, process, [level, machine]);
                repeats.push(Repeat::from(&record));
            }
        }
        repeats
    }

    /// A process's record: the cell's level of the night, and the machine's.
    fn record(self, rng: &mut Rng, cell: usize, process: u32, [level, machine]: [f64; 2]) -> Record {
        let noise = self.noise;
        let far = if rng.f64() < 0.1 { 4.0 } else { 1.0 };
        let slow = if rng.f64() < noise.slow { 1.25 } else { 1.0 };
        let apart = noise.far > 0.0 && rng.f64() < noise.far;
        let level = level * slow * if apart { 1.7 } else { 1.0 } * (far * noise.process * normal(rng)).exp();
        let mut record = Record::new(
            format!("HRNet_W18_C/f32/bs{}/crop224/cpu/t2", cell + 1)
                .parse()
                .expect("a case"),
            format!("{:06} {process:03}", self.number),
            Ok(samples(rng, level)),
            Provenance::default(),
        );
        let canary = Canary {
            macs_per_s: 1e11 / machine * (noise.canary * normal(rng)).exp(),
            tile_macs_per_s: None,
            bytes_per_s: 1e10,
            handover_ns: Some(if apart { 217.0 } else { 60.0 }),
        };
        record.process = Some(process);
        record.conditions = Some(Conditions {
            canary: [canary; 2],
            load: Some(if noise.busy { 1.3 } else { 0.0 }),
            steal: None,
            peak_resident_bytes: None,
        });
        record
    }
}

/// A way to compare: how sets are made and what is known.
#[derive(Clone, Copy)]
struct Plan {
    name: &'static str,
    noise: Noise,
    /// The noise of the nights of history.
    before: Noise,
    cells: usize,
    processes: u32,
    /// Nights of history.
    history: usize,
    /// Both sides are measured in turns.
    in_turns: bool,
    threshold: Option<f64>,
}

/// Two nights of many cells and eight processes per cell, without history.
const TWO_NIGHTS: Plan = Plan {
    name: "two nights, 8 processes, no history",
    noise: NIGHTS,
    before: NIGHTS,
    cells: MANY,
    processes: 8,
    history: 0,
    in_turns: false,
    threshold: None,
};

const PLANS: [Plan; 9] = [
    Plan {
        name: "in turns, 10 processes, threshold 1 %",
        noise: TURNS,
        processes: 10,
        in_turns: true,
        threshold: Some(0.01),
        ..TWO_NIGHTS
    },
    Plan {
        name: "two nights, 8 processes, history of 12 nights",
        history: 12,
        ..TWO_NIGHTS
    },
    TWO_NIGHTS,
    Plan {
        name: "two nights, 1 process, history of 12 nights",
        processes: 1,
        history: 12,
        ..TWO_NIGHTS
    },
    Plan {
        name: "two nights, 1 process, no history",
        processes: 1,
        ..TWO_NIGHTS
    },
    Plan {
        name: "two speeds, 8 processes, history of 12 nights",
        noise: TWO_SPEEDS,
        before: TWO_SPEEDS,
        history: 12,
        ..TWO_NIGHTS
    },
    Plan {
        name: "two speeds, 1 process, history of 12 nights",
        noise: TWO_SPEEDS,
        before: TWO_SPEEDS,
        processes: 1,
        history: 12,
        ..TWO_NIGHTS
    },
    Plan {
        name: "moved cores, 8 processes, history of 12 nights",
        noise: MOVED,
        before: MOVED,
        history: 12,
        ..TWO_NIGHTS
    },
    Plan {
        name: "moved cores, 1 process, no history",
        noise: MOVED,
        processes: 1,
        ..TWO_NIGHTS
    },
];

/// Nights whose processes share what no canary shows: the same program must not be called slower.
const DRIFTING: [Plan; 7] = [
    Plan {
        name: "drift, 1 cell, 1 process, no history",
        noise: DRIFT,
        cells: 1,
        processes: 1,
        ..TWO_NIGHTS
    },
    Plan {
        name: "drift, 4 cells, 1 process, no history",
        noise: DRIFT,
        cells: FEW,
        processes: 1,
        ..TWO_NIGHTS
    },
    Plan {
        name: "drift, 4 cells, 3 processes, no history",
        noise: DRIFT,
        cells: FEW,
        processes: 3,
        ..TWO_NIGHTS
    },
    Plan {
        name: "drift, 4 cells, 1 process, history of 12 such nights",
        noise: DRIFT,
        before: DRIFT,
        cells: FEW,
        processes: 1,
        history: 12,
        ..TWO_NIGHTS
    },
    Plan {
        name: "drift and load, 4 cells, 1 process, quiet history",
        noise: BUSY,
        cells: FEW,
        processes: 1,
        history: 12,
        ..TWO_NIGHTS
    },
    Plan {
        name: "drift and load, 4 cells, 8 processes, no history",
        noise: BUSY,
        cells: FEW,
        ..TWO_NIGHTS
    },
    Plan {
        name: "another speed, 4 cells, 8 processes, no history",
        noise: LOOSE,
        cells: FEW,
        ..TWO_NIGHTS
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
    fn rule(&self) -> Rule {
        Rule {
            threshold: self.threshold,
            ..Rule::default()
        }
    }

    fn run(&self, machines: usize, slower: f64) -> Tally {
        let mut rng = Rng::with_seed(7);
        let mut tally = Tally::default();
        let night = |noise: Noise, slower: f64, number: usize| Night {
            noise,
            cells: self.cells,
            processes: self.processes,
            slower,
            number,
        };
        for _ in 0..machines {
            let mut sets: Vec<Vec<Repeat>> = (0..self.history)
                .map(|number| night(self.before, 1.0, number).repeats(&mut rng))
                .collect();
            let history = History::of(&sets);
            for _ in 0..10 {
                let number = self.history + usize::from(!self.in_turns);
                let now = night(self.noise, slower, number).repeats(&mut rng);
                let before = match sets.pop() {
                    Some(last) => last,
                    None => night(self.noise, 1.0, self.history).repeats(&mut rng),
                };
                tally.add(&compare(&before, &now, &history, self.rule()), slower > 1.0);
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

/// Fails if more nights than stated have a false alarm.
fn assert_bounded(plan: &Plan, still: &Tally) {
    assert!(
        percent(still.false_alarms, still.nights) <= 100.0 * plan.rule().alpha,
        "{}: {} of {} nights with a false alarm",
        plan.name,
        still.false_alarms,
        still.nights
    );
}

#[test]
fn false_alarms_stay_below_the_stated_rate_and_power_is_what_the_table_says() {
    let mut table = format!(
        "{MANY} cells, one in ten slowed down; nights with a false alarm, slowed cells found\n\
         {:<48}{:>8}{:>8}{:>8}{:>8}{:>8}\n",
        "", "A/A", "same", "2 %", "5 %", "10 %"
    );
    let mut found = Vec::new();
    for plan in &PLANS {
        let still = plan.run(30, 1.0);
        assert_eq!(still.nights, 300);
        assert_bounded(plan, &still);
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

#[test]
fn a_shift_that_all_processes_of_a_night_share_is_no_false_alarm_beyond_the_stated_rate() {
    for plan in &DRIFTING {
        let still = plan.run(60, 1.0);
        println!(
            "{:<54}{:>6.1} % false alarms",
            plan.name,
            percent(still.false_alarms, still.nights)
        );
        assert_bounded(plan, &still);
    }
    // What is far beyond such a shift is found: every tenth cell, which is the first, takes ten times as long.
    let far = DRIFTING[1].run(10, 10.0);
    println!("ten times as slow: {:.0} %", percent(far.detected, far.slowed));
    assert!(percent(far.detected, far.slowed) >= 80.0);
}
