use harness::{Case, counted};
use hrnet::Precision;
use registry::TaskKind;

use super::{digits, history, unmeasured};
use crate::cells::{Cell, Model};
use crate::charts::pose_data;
use crate::page::Answer;
use crate::pick::{self, Choice, faster};

/// The page in four answers: which network, is it noisy, did it change, what ran.
pub(crate) fn summary(model: &Model, charts: usize) -> Vec<Answer> {
    let answer = |question, text| Answer { question, text };
    vec![
        answer("Which network?", which(model)),
        answer("Noisy?", noisy(model)),
        answer("Changed?", history::verdict(model)),
        answer("What ran?", Counts::of(model).in_words(charts)),
    ]
}

/// The choices that nothing beats, in one precision: f32, for which accuracies are published, or if none was measured in f32 that
/// of the fastest. By time; of those that nothing beats, the slowest is the most accurate.
struct Shown<'c> {
    precision: Precision,
    choices: Vec<&'c Choice>,
}

impl<'c> Shown<'c> {
    fn of(best: &[&'c Choice]) -> Option<Self> {
        let precisions = || best.iter().map(|choice| choice.case.precision);
        let precision = precisions().find(|precision| *precision == Precision::F32);
        let precision = precision.or(precisions().next())?;
        let choices = best
            .iter()
            .filter(|choice| choice.case.precision == precision)
            .copied()
            .collect();
        Some(Self { precision, choices })
    }

    /// The fastest and the most accurate of them.
    fn in_words(&self, told: impl Fn(&Choice) -> String) -> String {
        let (first, last) = (self.choices[0], self.choices[self.choices.len() - 1]);
        let (precision, batch) = (self.precision, first.case.batch);
        match self.choices.len() {
            1 => format!("{}, at batch {batch} in {precision}.", told(first)),
            _ => format!(
                "{} for speed, {} for accuracy, at batch {batch} in {precision}.",
                told(first),
                told(last)
            ),
        }
    }
}

/// The networks worth considering: classifiers, then pose networks if any was measured.
fn which(model: &Model) -> String {
    match keypoints(model) {
        None => classes(model),
        Some(keypoints) => format!("{} For keypoints: {keypoints}", classes(model)),
    }
}

/// The fastest and the most accurate pose network.
fn keypoints(model: &Model) -> Option<String> {
    let choices = pick::of(model, TaskKind::Pose);
    let data = pose_data(model.input.zoo);
    let of_data = |choice: &&Choice| choice.best && choice.data.as_deref() == data;
    let best: Vec<&Choice> = choices.iter().filter(of_data).collect();
    let told = |choice: &Choice| {
        format!(
            "{} ({} ms, AP {} on {} as published)",
            choice.variant,
            digits(choice.median_ns / 1e6),
            choice.claimed,
            data.unwrap_or_default()
        )
    };
    Shown::of(&best).map(|shown| shown.in_words(told))
}

fn classes(model: &Model) -> String {
    let choices = pick::of(model, TaskKind::Classes);
    let best: Vec<&Choice> = choices.iter().filter(|choice| choice.best).collect();
    let Some(shown) = Shown::of(&best) else {
        return match choices.first() {
            Some(_) => "No measured network has a published accuracy.".into(),
            None if model.ours(TaskKind::Pose).next().is_some() => "No classifier was measured.".into(),
            None => "No network was measured.".into(),
        };
    };
    let told = |choice: &Choice| {
        format!(
            "{} ({} ms, {} top-1 as published)",
            choice.variant,
            digits(choice.median_ns / 1e6),
            choice.claimed
        )
    };
    let mut text = shown.in_words(told);
    let is_other = |choice: &&&Choice| choice.case.precision != shown.precision;
    if let Some(other) = best.first().filter(is_other) {
        text.push_str(&format!(
            " {} takes {} ms in {}; its accuracy in that format is not published.",
            other.variant,
            digits(other.median_ns / 1e6),
            other.case.precision
        ));
    }
    let rivals = best
        .iter()
        .filter(|choice| faster(model, choice).is_some())
        .count();
    if rivals > 0 {
        text.push_str(&format!(
            " Another engine is faster for {rivals} of the {} worth considering; they are named below.",
            best.len()
        ));
    }
    let left = unmeasured(model, TaskKind::Classes).len();
    if left > 0 {
        text.push_str(&format!(
            " {} {} not measured.",
            counted(left, "network"),
            if left == 1 { "was" } else { "were" }
        ));
    }
    text
}

/// The number of noisy measurements, and the reason of the first.
fn noisy(model: &Model) -> String {
    let records: Vec<_> = super::shown(model)
        .filter(|record| record.summary().is_some())
        .collect();
    let all = counted(records.len(), "measurement");
    let watched = records
        .iter()
        .filter(|record| record.conditions.is_some())
        .count();
    let noisy: Vec<_> = records
        .iter()
        .filter_map(|record| Some((record, record.noise()?)))
        .collect();
    match noisy.first() {
        _ if records.is_empty() => "Nothing was measured.".into(),
        Some((record, noise)) => format!(
            "{} of {all} {} noisy; the first is {}: {noise}.",
            noisy.len(),
            if noisy.len() == 1 { "is" } else { "are" },
            record.case
        ),
        None if watched == 0 => {
            format!("Runs lie close together; the {all} do not say what else the machine did.")
        }
        None => format!("No: none of {all} is."),
    }
}

/// The records of a page, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    records: usize,
    /// Networks alone.
    alone: Measured,
    /// Networks in races.
    raced: Measured,
    /// Work on photos.
    photos: Measured,
}

/// The cells of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Measured {
    cells: usize,
    /// Their records.
    records: usize,
}

impl Counts {
    fn of(model: &Model) -> Self {
        let count = |wanted: &dyn Fn(&Cell) -> bool| {
            let cells = || model.cells.iter().filter(|cell| wanted(cell));
            Measured {
                cells: cells().count(),
                records: cells().map(|cell| cell.records.len()).sum(),
            }
        };
        let is_network = |cell: &Cell| matches!(cell.case, Case::Network(_));
        Self {
            records: model.input.records.len(),
            alone: count(&|cell| is_network(cell) && !cell.raced),
            raced: count(&|cell| is_network(cell) && cell.raced),
            photos: count(&|cell| !is_network(cell)),
        }
    }

    /// Records that a later measurement of the same cell replaced.
    fn replaced(&self) -> usize {
        self.records - self.alone.records - self.raced.records - self.photos.records
    }

    fn in_words(&self, charts: usize) -> String {
        let charts = counted(charts, "chart");
        if self.records == 0 {
            return format!("Nothing; the {charts} show published and counted figures.");
        }
        let kinds = [
            (self.alone, "of networks alone"),
            (self.raced, "of networks in races with other engines"),
            (self.photos, "of steps before the network"),
        ];
        let kinds = kinds.into_iter().filter(|(measured, _)| measured.cells > 0);
        let mut parts: Vec<String> = kinds
            .map(|(Measured { cells, records }, what)| {
                format!("{records} {what} ({})", counted(cells, "cell"))
            })
            .collect();
        if self.replaced() > 0 {
            parts.push(format!(
                "{} that a later measurement of the same cell replaced",
                self.replaced()
            ));
        }
        format!(
            "{}, each of one cell in one process: {}. The page has {charts} of these cells and of published figures.",
            counted(self.records, "record"),
            parts.join("; ")
        )
    }
}

#[cfg(test)]
mod tests {
    use harness::{Race, Record};

    use super::*;
    use crate::testing::{record, with};

    fn told(records: &[Record]) -> Vec<String> {
        let answers = with(records, |model| summary(model, 5));
        answers.into_iter().map(|answer| answer.text).collect()
    }

    #[test]
    fn each_record_is_counted_once() {
        let raced = |case: &str| {
            let mut raced = record(case, &[9; 8]);
            raced.race = Some(Race {
                id: "one".into(),
                peak_macs_per_s: None,
            });
            raced
        };
        let mut second = record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[10; 8]);
        second.process = Some(1);
        let records = [
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[90; 8]),
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[10; 8]),
            second,
            raced("HRNet_W18_C/f32/bs1/crop224/cpu/t2"),
            raced("HRNet_W18_C/f32/bs1/crop224/openvino/t2"),
            record("preprocess/decode", &[1; 8]),
        ];
        let counts = with(&records, Counts::of);
        let measured = |cells, records| Measured { cells, records };
        assert_eq!(
            [counts.alone, counts.raced, counts.photos],
            [measured(1, 2), measured(2, 2), measured(1, 1)]
        );
        assert_eq!(counts.replaced(), 1);
        assert_eq!(
            told(&records)[3],
            "6 records, each of one cell in one process: 2 of networks alone (1 cell); 2 of networks in races with other engines \
             (2 cells); 1 of steps before the network (1 cell); 1 that a later measurement of the same cell replaced. The page has \
             5 charts of these cells and of published figures."
        );
    }

    #[test]
    fn it_names_a_network_what_is_faster_and_what_was_left_out() {
        let records = [
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[44; 8]),
            record("HRNet_W48_C/f32/bs1/crop224/cpu/t2", &[113; 8]),
            record("HRNet_W48_C/int8/bs1/crop224/cpu/t2", &[30; 8]),
            record("HRNet_W48_C/int8/bs1/crop224/openvino/t2", &[20; 8]),
        ];
        let answers = told(&records);
        assert_eq!(
            answers[0],
            "HRNet_W18_C_ssld (44.00 ms, 81.6 % top-1 as published) for speed, HRNet_W48_C_ssld (113.0 ms, 83.6 % top-1 as \
             published) for accuracy, at batch 1 in f32. HRNet_W48_C_ssld takes 30.00 ms in int8; its accuracy in that format is \
             not published. Another engine is faster for 1 of the 3 worth considering; they are named below. 8 networks were not measured."
        );
        assert!(
            answers[1].starts_with("Runs lie close together"),
            "{}",
            answers[1]
        );
        assert!(answers[2].starts_with("Unknown"), "{}", answers[2]);
        let mut loud = record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[10, 20, 10, 5, 30, 10]);
        loud.process = Some(0);
        assert!(
            told(&[loud])[1].starts_with("1 of 1 measurement is noisy; the first is HRNet_W18_C/f32"),
            "the reason is named"
        );
        assert_eq!(told(&[])[0], "No network was measured.");
        let pose = record("pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t2", &[80; 8]);
        assert_eq!(
            told(&[pose])[0],
            "No classifier was measured. For keypoints: pose_hrnet_w32_256x192_udp (80.00 ms, AP 76.2 on COCO val2017 as \
             published), at batch 1 in f32."
        );
    }
}
