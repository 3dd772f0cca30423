//! Results of evaluations, as files in a folder beside the records.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};

use harness::eval::{Header, PeopleSummary, Shard, Summary};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::night::Night;
use crate::text::table as csv_table;
use crate::{Input, ReportError, night, write};

/// The folder of evaluations, beside the records.
pub const EVALUATIONS: &str = "eval";
/// The file in it of networks that were not evaluated.
pub const LEFT_OUT: &str = "left-out.json";
/// The table of all evaluations of a page.
pub(crate) const TABLE: &str = "accuracy.csv";

/// The evaluations in a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluations {
    pub(crate) done: Vec<Evaluated>,
    /// Those of keypoints.
    pub(crate) people: Vec<Evaluated<PeopleSummary>>,
    pub(crate) left_out: Vec<LeftOut>,
    /// Evaluations of seeded weights, whose accuracy means nothing.
    pub(crate) seeded: usize,
    /// Evaluations of parts of a data set, which `zoo eval merge` puts together.
    pub(crate) parts: usize,
}

/// The result of an evaluation, of classes or of keypoints.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated<S = Summary> {
    /// The file's name.
    pub file: String,
    text: String,
    /// Its content.
    pub summary: S,
}

/// A network that was not evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its variant.
    pub variant: String,
    /// Why.
    pub reason: String,
    /// It is a failure, and not what was to be expected.
    pub failed: bool,
}

impl LeftOut {
    /// A network that cannot be evaluated here.
    pub fn new(variant: &str, reason: &str) -> Self {
        Self {
            variant: variant.into(),
            reason: reason.into(),
            failed: false,
        }
    }

    /// A network whose evaluation failed.
    pub fn failed(variant: &str, reason: &str) -> Self {
        Self {
            failed: true,
            ..Self::new(variant, reason)
        }
    }
}

/// The evaluations beside the records of a folder, by their files' names.
///
/// # Errors
/// If a file cannot be read, or holds something else.
pub fn evaluations(folder: &Path) -> Result<Evaluations, ReportError> {
    let folder = folder.join(EVALUATIONS);
    let mut found = Evaluations::default();
    for file in names(&folder)? {
        let Some(text) = night::text(&folder, &file)? else {
            continue;
        };
        let path = folder.join(&file);
        let bad = |source| ReportError::Evaluation {
            path: path.clone(),
            source,
        };
        if file == LEFT_OUT {
            found.left_out = serde_json::from_str(&text).map_err(bad)?;
            continue;
        }
        let value: Value = serde_json::from_str(&text).map_err(&bad)?;
        if value["key"]["keypoints"].is_object() {
            let summary: PeopleSummary = serde_json::from_value(value).map_err(bad)?;
            if found.counts(&summary.header) {
                found.people.push(Evaluated { file, text, summary });
            }
        } else {
            let summary: Summary = serde_json::from_value(value).map_err(bad)?;
            if found.counts(&summary.header) {
                found.done.push(Evaluated { file, text, summary });
            }
        }
    }
    Ok(found)
}

/// Names of the JSON files of a folder, in order; none if there is no folder.
fn names(folder: &Path) -> Result<Vec<String>, ReportError> {
    let io = |source| ReportError::Io {
        path: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

impl Evaluations {
    /// Returns `true` if there is no accuracy of a whole network.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty() && self.people.is_empty()
    }

    /// Returns whether an evaluation is of trained weights on a whole data set; the others are counted.
    fn counts(&mut self, header: &Header) -> bool {
        let is_seeded = header.key.weights.starts_with("seeded:");
        let is_part = header.shard != Shard::WHOLE;
        self.seeded += usize::from(is_seeded);
        self.parts += usize::from(!is_seeded && is_part);
        !is_seeded && !is_part
    }

    /// Writes what a page shows into its folder, where it is not there yet.
    pub(crate) fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let folder = folder.join(EVALUATIONS);
        let mut files: Vec<(&str, String)> = self
            .done
            .iter()
            .map(|evaluated| (evaluated.file.as_str(), evaluated.text.clone()))
            .collect();
        let people = self.people.iter();
        files.extend(people.map(|evaluated| (evaluated.file.as_str(), evaluated.text.clone())));
        if !self.left_out.is_empty() {
            let text = serde_json::to_string_pretty(&self.left_out).expect("our types have string keys");
            files.push((LEFT_OUT, text + "\n"));
        }
        let mut paths = Vec::new();
        for (name, text) in files {
            let path = folder.join(name);
            if !path.exists() {
                std::fs::create_dir_all(&folder).map_err(|source| ReportError::Io {
                    path: folder.clone(),
                    source,
                })?;
                paths.push(write(&path, &text)?);
            }
        }
        Ok(paths)
    }
}

/// An evaluation beside the last earlier night that has the same one.
pub(crate) struct Since<'a> {
    pub(crate) night: &'a str,
    /// Right images now minus right images before: by first class, and among the first five.
    pub(crate) more: [isize; 2],
    /// A count differs.
    pub(crate) changed: bool,
}

impl<'a> Since<'a> {
    /// The last of these nights, oldest first, that evaluated the same on the same images.
    pub(crate) fn of(summary: &Summary, history: &'a [Night]) -> Option<Self> {
        history.iter().rev().find_map(|night| {
            let done = &night.evaluations.done;
            let before = done.iter().find(|other| other.summary.is_repeat_of(summary))?;
            let (now, before) = (summary.tally, before.summary.tally);
            let more = |now: usize, before: usize| now.cast_signed() - before.cast_signed();
            Some(Self {
                night: &night.folder,
                more: [more(now.top1, before.top1), more(now.top5, before.top5)],
                changed: now != before,
            })
        })
    }

    /// `same`, or what changed.
    pub(crate) fn verdict(&self) -> String {
        let told: Vec<String> = [("top-1", self.more[0]), ("top-5", self.more[1])]
            .into_iter()
            .filter(|(_, more)| *more != 0)
            .map(|(name, more)| format!("{name} {more:+}"))
            .collect();
        match (self.changed, told.is_empty()) {
            (false, _) => "same".into(),
            (true, true) => "changed: images that count".into(),
            (true, false) => format!("changed: {} images", told.join(", ")),
        }
    }
}

/// The evaluations of classes in the order of the manifest's variants.
pub(crate) fn in_order<'a>(input: &Input<'a>) -> Vec<&'a Evaluated> {
    ordered(input, &input.evaluations.done, |summary| &summary.header)
}

/// Evaluations of any task in the order of the manifest's variants.
pub(crate) fn ordered<'a, S>(
    input: &Input,
    all: &'a [Evaluated<S>],
    header: fn(&S) -> &Header,
) -> Vec<&'a Evaluated<S>> {
    let mut done: Vec<&Evaluated<S>> = all.iter().collect();
    done.sort_by(|a, b| {
        let variants = [a, b].map(|evaluated| header(&evaluated.summary).key.variant.as_str());
        by_manifest(input, variants).then_with(|| a.file.cmp(&b.file))
    });
    done
}

/// The order of two variants in the manifest; names that it does not know come last.
fn by_manifest(input: &Input, variants: [&str; 2]) -> Ordering {
    let all = &input.zoo.variants;
    let place = |name: &str| all.iter().position(|variant| variant.name == name);
    match variants.map(place) {
        [Some(a), Some(b)] => a.cmp(&b),
        [Some(_), None] => Ordering::Less,
        [None, Some(_)] => Ordering::Greater,
        [None, None] => Ordering::Equal,
    }
}

/// One row of `accuracy.csv`; shares from 0 to 1.
#[derive(Serialize)]
struct Row<'a> {
    variant: &'a str,
    weights: &'a str,
    preprocess: &'a str,
    precision: String,
    backend: &'a str,
    batch: usize,
    data: &'a str,
    data_images: usize,
    data_classes: usize,
    candidates: usize,
    counted: usize,
    unlabelled: usize,
    unreadable: usize,
    top1_right: usize,
    top1: Option<f64>,
    top1_low: Option<f64>,
    top1_high: Option<f64>,
    top5_right: usize,
    top5: Option<f64>,
    top5_low: Option<f64>,
    top5_high: Option<f64>,
    claims: String,
    images_per_s: Option<f64>,
    threads: Option<usize>,
    before: &'a str,
    since: String,
    started: &'a str,
}

/// The evaluations as a table with commas, a row each.
pub(crate) fn table(input: &Input) -> Result<String, csv::Error> {
    csv_table::write(in_order(input).into_iter().map(|evaluated| {
        let Summary {
            header,
            tally,
            top1,
            top5,
            pace,
            claims,
            ..
        } = &evaluated.summary;
        let (key, since) = (&header.key, Since::of(&evaluated.summary, input.history));
        let claims: Vec<String> = claims.iter().map(ToString::to_string).collect();
        Row {
            variant: &key.variant,
            weights: &key.weights,
            preprocess: &header.preprocess,
            precision: key.precision.to_string(),
            backend: &key.backend,
            batch: key.batch,
            data: &key.data.digest,
            data_images: key.data.images,
            data_classes: key.data.classes,
            candidates: key.candidates,
            counted: tally.counted,
            unlabelled: tally.unlabelled,
            unreadable: tally.unreadable,
            top1_right: tally.top1,
            top1: top1.map(|share| share.share),
            top1_low: top1.map(|share| share.interval.low),
            top1_high: top1.map(|share| share.interval.high),
            top5_right: tally.top5,
            top5: top5.map(|share| share.share),
            top5_low: top5.map(|share| share.interval.low),
            top5_high: top5.map(|share| share.interval.high),
            claims: claims.join("; "),
            images_per_s: pace.map(|pace| pace.images_per_s()),
            threads: pace.map(|pace| pace.threads),
            before: since.as_ref().map_or("", |since| since.night),
            since: since.as_ref().map_or(String::new(), Since::verdict),
            started: &header.started,
        }
    }))
}
