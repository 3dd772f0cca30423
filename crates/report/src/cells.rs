//! The records by what they measure, found once: every table and chart is made of these.

use std::collections::HashMap;

use harness::{Case, NetworkCase, PreprocessCase, Record, Times};
use hrnet::{Precision, Shape, Size};
use registry::TaskKind;

use crate::Input;

/// The last measurement of one case.
#[derive(Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) case: &'a Case,
    /// It was measured in turns with other engines.
    pub(crate) raced: bool,
    /// A record a process.
    pub(crate) records: Vec<&'a Record>,
    /// The times, or why there are none.
    pub(crate) times: Result<Times, &'a str>,
}

/// The cells of these records, in order of their cases.
fn cells(records: &[Record]) -> Vec<Cell<'_>> {
    let mut groups: HashMap<(&Case, bool), Vec<&Record>> = HashMap::new();
    for record in records {
        let group = groups.entry((&record.case, record.race.is_some())).or_default();
        // The first process of a cell begins it anew; so does another machine.
        let first = record.process.is_none_or(|process| process == 0);
        let elsewhere = group
            .first()
            .is_some_and(|other| other.provenance.machine != record.provenance.machine);
        if first || elsewhere {
            group.clear();
        }
        group.push(record);
    }
    let mut cells: Vec<Cell> = groups
        .into_iter()
        .map(|((case, raced), records)| {
            let error = records.iter().find_map(|record| record.error.as_deref());
            let times = Times::of(&records).ok_or(error.unwrap_or("no samples"));
            Cell {
                case,
                raced,
                records,
                times,
            }
        })
        .collect();
    cells.sort_by_key(|cell| (cell.case, cell.raced));
    cells
}

impl<'a> Cell<'a> {
    /// The network case with its times, if it is one and has some.
    pub(crate) fn measured(&self) -> Option<(&'a NetworkCase, &Times)> {
        Some((self.case.network()?, self.times.as_ref().ok()?))
    }

    /// The last record.
    pub(crate) fn record(&self) -> &'a Record {
        self.records[self.records.len() - 1]
    }

    /// The median over the processes of a figure that follows from a record.
    pub(crate) fn over(&self, value: impl Fn(&Record) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.records.iter().filter_map(|record| value(record)).collect();
        harness::median(&mut values)
    }
}

/// A step before the network with its times.
pub(crate) struct Preparation<'m, 'a> {
    pub(crate) cell: &'m Cell<'a>,
    pub(crate) times: &'m Times,
    pub(crate) step: Step,
    pub(crate) precision: Option<Precision>,
}

/// The kind of a step before the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Decode,
    /// Short side after resizing and side of the crop, pixels.
    Centre {
        resize: usize,
        crop: usize,
    },
    /// The crop of a person at this size.
    Person(Size),
}

/// The input of a page, with its cells and counts at hand.
pub(crate) struct Model<'a> {
    pub(crate) input: Input<'a>,
    pub(crate) cells: Vec<Cell<'a>>,
    /// The cells of each variant's network, by their index.
    networks: HashMap<&'a str, Vec<usize>>,
    /// Multiply-accumulates of one image, by variant and crop.
    macs: HashMap<(&'a str, Size), u64>,
}

impl<'a> Model<'a> {
    pub(crate) fn new(input: &Input<'a>) -> Self {
        let cells = cells(input.records);
        let mut networks: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut macs: HashMap<(&str, Size), u64> = HashMap::new();
        for (index, cell) in cells.iter().enumerate() {
            let Some(case) = cell.case.network() else { continue };
            networks.entry(&case.variant).or_default().push(index);
            if let Some(variant) = input.zoo.variant(&case.variant)
                && let std::collections::hash_map::Entry::Vacant(entry) =
                    macs.entry((&case.variant, case.crop))
                && let Ok(graph) = variant.spec.graph(Shape::images(1, case.crop))
            {
                entry.insert(graph.profile().macs().0);
            }
        }
        Self {
            input: *input,
            cells,
            networks,
            macs,
        }
    }

    /// The cells that were measured alone.
    pub(crate) fn alone(&self) -> impl Iterator<Item = &Cell<'a>> {
        self.cells.iter().filter(|cell| !cell.raced)
    }

    /// The steps before the network that have times, decoding first.
    pub(crate) fn preparations(&self) -> impl Iterator<Item = Preparation<'_, 'a>> {
        self.alone().filter_map(|cell| {
            let Case::Preprocess(case) = cell.case else {
                return None;
            };
            let (step, precision) = match *case {
                PreprocessCase::Decode => (Step::Decode, None),
                PreprocessCase::Batch {
                    resize,
                    crop,
                    precision,
                    ..
                } => (Step::Centre { resize, crop }, Some(precision)),
                PreprocessCase::Person { size } => (Step::Person(size), Some(Precision::F32)),
            };
            Some(Preparation {
                cell,
                times: cell.times.as_ref().ok()?,
                step,
                precision,
            })
        })
    }

    /// Returns the task of a variant; classes for one that the manifest does not have.
    pub(crate) fn task(&self, variant: &str) -> TaskKind {
        let variant = self.input.zoo.variant(variant);
        variant.map_or(TaskKind::Classes, |variant| variant.task.kind())
    }

    /// Returns whether the cell runs a network of this task.
    pub(crate) fn is_of(&self, cell: &Cell, task: TaskKind) -> bool {
        let case = cell.case.network();
        case.is_some_and(|case| self.task(&case.variant) == task)
    }

    /// Returns the cells of a task's networks that were measured alone.
    pub(crate) fn alone_of(&self, task: TaskKind) -> impl Iterator<Item = &Cell<'a>> {
        self.alone().filter(move |cell| self.is_of(cell, task))
    }

    /// The cells of a task's networks with times that engines of ours have: those of races where they were not measured alone.
    pub(crate) fn ours(&self, task: TaskKind) -> impl Iterator<Item = (&'a NetworkCase, &Times)> {
        let apart = |index: usize| {
            let before = index.checked_sub(1).map(|before| &self.cells[before]);
            let cell = &self.cells[index];
            !cell.raced || before.is_none_or(|before| before.case != cell.case || before.times.is_err())
        };
        (0..self.cells.len())
            .filter(move |index| apart(*index))
            .filter_map(|index| self.cells[index].measured())
            .filter(move |(case, _)| !self.is_peer(&case.backend) && self.task(&case.variant) == task)
    }

    /// The same of one variant.
    pub(crate) fn ours_of(&self, variant: &str) -> impl Iterator<Item = (&'a NetworkCase, &Times)> {
        self.cells_of(variant)
            .filter_map(Cell::measured)
            .filter(|(case, _)| !self.is_peer(&case.backend))
    }

    /// The cells of one variant's network, with times or without, on every engine.
    pub(crate) fn cells_of(&self, variant: &str) -> impl Iterator<Item = &Cell<'a>> {
        let indices = self.networks.get(variant).into_iter().flatten();
        indices.map(|index| &self.cells[*index])
    }

    pub(crate) fn is_peer(&self, backend: &str) -> bool {
        self.input.peers.contains(&backend)
    }

    /// Multiply-accumulates of one image.
    pub(crate) fn macs_of(&self, variant: &str, crop: Size) -> Option<f64> {
        self.macs.get(&(variant, crop)).map(|macs| *macs as f64)
    }

    /// Multiply-accumulates of one run of a network.
    pub(crate) fn macs_of_run(&self, case: &NetworkCase) -> Option<f64> {
        Some(self.macs_of(&case.variant, case.crop)? * case.batch as f64)
    }

    /// The backend, threads and crop that most cells of classifiers in a precision have; our own engine and the more threads
    /// where there are as many.
    pub(crate) fn usual(&self, precision: Precision) -> Option<(&'a str, usize, Size)> {
        let mut counts: HashMap<(&str, usize, Size), usize> = HashMap::new();
        let cells = self.ours(TaskKind::Classes);
        for (case, _) in cells.filter(|(case, _)| case.precision == precision) {
            *counts
                .entry((&case.backend, case.threads, case.crop))
                .or_default() += 1;
        }
        let best = |((backend, threads, crop), count): &((&'a str, usize, Size), usize)| {
            (
                *count,
                *backend == OURS,
                *threads,
                std::cmp::Reverse(*crop),
                *backend,
            )
        };
        counts.into_iter().max_by_key(best).map(|(setting, _)| setting)
    }

    /// The machine of the records, by its processor's name.
    pub(crate) fn cpu(&self) -> &'a str {
        let first = self.input.records.first();
        first.map_or("this machine", |record| &record.provenance.machine.cpu)
    }
}

/// Our own engine.
pub(crate) const OURS: &str = "cpu";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{record, with};

    #[test]
    fn a_cell_is_its_last_time_with_all_processes() {
        let mut records = vec![record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[90; 5])];
        for (process, ms) in [(0, 10), (1, 12), (2, 11)] {
            let mut one = record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[ms; 20]);
            one.process = Some(process);
            records.push(one);
        }
        with(&records, |model| {
            assert_eq!(model.cells.len(), 1);
            let times = model.cells[0].times.expect("measured");
            assert_eq!((times.processes, times.samples), (3, 60));
            assert_eq!(times.median_ms(), 11.0);
            assert_eq!(times.interval_ms(), Some((10.0, 12.0)));
            assert_eq!(times.p90_ns, Some(12e6));
        });
    }

    #[test]
    fn a_failed_process_leaves_the_others_times_and_all_failed_leave_the_reason() {
        let mut failed = record("preprocess/decode", &[]);
        failed.error = Some("no photo".into());
        let mut good = record("preprocess/decode", &[3; 3]);
        good.process = Some(1);
        with(&[failed.clone(), good], |model| {
            assert_eq!(model.cells[0].times.expect("measured").processes, 1);
        });
        with(&[failed], |model| {
            assert_eq!(model.cells[0].times, Err("no photo"));
        });
    }

    #[test]
    fn the_usual_setting_is_that_of_most_cells() {
        let records: Vec<Record> = [
            "HRNet_W18_C/f32/bs1/crop224/candle/t2",
            "HRNet_W18_C/f32/bs1/crop224/cpu/t2",
            "HRNet_W18_C/f32/bs1/crop224/cpu/t1",
            "HRNet_W30_C/f32/bs1/crop224/cpu/t1",
            "HRNet_W30_C/f32/bs4/crop224/openvino/t1",
        ]
        .map(|case| record(case, &[5; 3]))
        .to_vec();
        with(&records, |model| {
            assert_eq!(model.usual(Precision::F32), Some(("cpu", 1, Size::square(224))));
            assert_eq!(model.usual(Precision::F16), None);
            let (case, _) = model.cells[0].measured().expect("measured");
            let macs = model.macs_of_run(case).expect("counted");
            let rate = model.cells[0].over(|record| record.macs_per_s(macs));
            assert!((rate.expect("measured") / 1e9 - 4.2835 * 200.0).abs() < 1.0);
        });
    }
}
