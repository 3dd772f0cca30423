//! Networks in other number formats beside their f32: how fast, and how near its answers.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use harness::{Fidelity, NetworkCase, Times};
use hrnet::{Precision, Size};
use registry::TaskKind;

use crate::cells::{Cell, Model, OURS};
use crate::charts::ratio;

/// One cell beside our f32.
#[derive(Clone, Copy)]
pub(crate) struct Compared<'m, 'a> {
    pub(crate) case: &'a NetworkCase,
    pub(crate) times: &'m Times,
    /// Its speed as a multiple of our fastest f32's, and the interval of that.
    pub(crate) speed: (f64, Option<(f64, f64)>),
    pub(crate) fidelity: Option<Fidelity>,
    /// Its weights are seeded.
    pub(crate) seeded: bool,
    /// Somebody else's engine ran it.
    pub(crate) peer: bool,
}

/// A precision on an engine: our own, others of ours, then peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind<'a> {
    peer: bool,
    precision: Precision,
    engine: &'a str,
}

/// The setting that cells of one chart share: threads, batch and crop.
pub(crate) type Setting = (usize, usize, Size);

/// The cells of a task's networks in other precisions for which there is an f32 of ours, and that one before them: in order of
/// the manifest's variants, then of settings and kinds.
pub(crate) fn compared<'m, 'a>(model: &'m Model<'a>, task: TaskKind) -> Vec<Compared<'m, 'a>> {
    let plain = Plain::of(model);
    let mut found: Vec<Compared> = Vec::new();
    for cell in model.cells.iter().filter(|cell| model.is_of(cell, task)) {
        let Some((case, _)) = cell.measured() else {
            continue;
        };
        // A cell that was measured alone comes before the same in a race.
        let known = found.last().is_some_and(|last| last.case == case);
        if known || case.precision == Precision::F32 {
            continue;
        }
        if let Some(plain) = plain.fastest(case, cell.raced) {
            found.extend(Compared::of(model, plain, plain));
            found.extend(Compared::of(model, cell, plain));
        }
    }
    let variants = model.input.zoo.variants.iter().enumerate();
    let order: HashMap<&str, usize> = variants
        .map(|(index, variant)| (variant.name.as_str(), index))
        .collect();
    let place = |variant: &str| order.get(variant).copied().unwrap_or(usize::MAX);
    found.sort_by_key(|one| (place(&one.case.variant), one.setting(), one.kind()));
    found.dedup_by_key(|one| one.case);
    found
}

/// The setting that most cells have; the largest where there are as many.
pub(crate) fn usual(compared: &[Compared]) -> Option<Setting> {
    let mut counts: BTreeMap<Setting, usize> = BTreeMap::new();
    for one in compared {
        *counts.entry(one.setting()).or_default() += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(setting, count)| (*count, *setting));
    most.map(|(setting, _)| setting)
}

/// Our cells in f32, by variant and setting.
struct Plain<'m, 'a>(HashMap<(&'a str, Setting), Vec<&'m Cell<'a>>>);

impl<'m, 'a> Plain<'m, 'a> {
    fn of(model: &'m Model<'a>) -> Self {
        let mut cells: HashMap<_, Vec<_>> = HashMap::new();
        for cell in &model.cells {
            if let Some((case, _)) = cell.measured()
                && case.precision == Precision::F32
                && !model.is_peer(&case.backend)
            {
                let key = (case.variant.as_str(), setting(case));
                cells.entry(key).or_default().push(cell);
            }
        }
        Self(cells)
    }

    /// The fastest of a variant and setting: of a race for what was raced, where there is one.
    fn fastest(&self, case: &NetworkCase, raced: bool) -> Option<&'m Cell<'a>> {
        let cells = self.0.get(&(case.variant.as_str(), setting(case)))?;
        // Our usual engine where two are as fast.
        let rank = |cell: &Cell| {
            let ours = cell.case.network().is_some_and(|case| case.backend == OURS);
            let median_ns = cell.times.map_or(u64::MAX, |times| times.median_ns as u64);
            (cell.raced != raced, median_ns, !ours)
        };
        let fastest = cells.iter().min_by_key(|cell| rank(cell));
        fastest.copied()
    }
}

fn setting(case: &NetworkCase) -> Setting {
    (case.threads, case.batch, case.crop)
}

impl<'m, 'a> Compared<'m, 'a> {
    fn of(model: &Model<'a>, cell: &'m Cell<'a>, plain: &'m Cell<'a>) -> Option<Self> {
        let ((case, times), (_, before)) = (cell.measured()?, plain.measured()?);
        let speed = match std::ptr::eq(cell, plain) {
            true => (1.0, None),
            false => ratio(before, times),
        };
        Some(Self {
            case,
            times,
            speed,
            fidelity: cell.records.iter().rev().find_map(|record| record.fidelity),
            seeded: cell.record().provenance.weights.starts_with("seeded:"),
            peer: model.is_peer(&case.backend),
        })
    }

    pub(crate) fn setting(&self) -> Setting {
        setting(self.case)
    }

    pub(crate) fn kind(&self) -> Kind<'a> {
        Kind {
            peer: self.peer,
            precision: self.case.precision,
            engine: &self.case.backend,
        }
    }

    /// The images whose first class is the reference's.
    pub(crate) fn agreeing(&self) -> Option<Agreeing> {
        let images = self.case.batch;
        let share = self.fidelity?.top1_agreement?;
        let same = (share * images as f64).round() as usize;
        Some(Agreeing { same, images })
    }
}

/// Images whose first class is the reference's, of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreeing {
    pub(crate) same: usize,
    pub(crate) images: usize,
}

/// Formats as `3 of 4`.
impl fmt::Display for Agreeing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.same, self.images)
    }
}

impl Kind<'_> {
    /// The precision, and the engine where it is not our usual one.
    pub(crate) fn name(self) -> String {
        match self.engine {
            OURS => self.precision.to_string(),
            engine => format!("{} on {engine}", self.precision),
        }
    }
}
