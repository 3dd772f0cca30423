//! Results of evaluations of keypoints.

use harness::eval::{Estimate, Figure, PeopleClaim, PeopleSummary, PeopleTally, Protocol};
use serde::Serialize;

use crate::Input;
use crate::evaluations::{Evaluated, ordered};
use crate::night::Night;
use crate::text::table as csv_table;

/// The table of all evaluations of keypoints of a page.
pub(crate) const TABLE: &str = "keypoints.csv";

/// The evaluations of keypoints in the order of the manifest's variants.
pub(crate) fn in_order<'a>(input: &Input<'a>) -> Vec<&'a Evaluated<PeopleSummary>> {
    ordered(input, &input.evaluations.people, |summary| &summary.header)
}

/// An evaluation beside the last earlier night that has the same one.
pub(crate) struct Since<'a> {
    pub(crate) night: &'a str,
    /// AP now minus AP before.
    ap: f64,
    /// A figure or a count differs.
    pub(crate) changed: bool,
}

impl<'a> Since<'a> {
    /// The last of these nights, oldest first, that evaluated the same on the same images.
    pub(crate) fn of(summary: &PeopleSummary, history: &'a [Night]) -> Option<Self> {
        history.iter().rev().find_map(|night| {
            let done = &night.evaluations.people;
            let before = done.iter().find(|other| other.summary.is_repeat_of(summary))?;
            let before = &before.summary;
            let ap = |summary: &PeopleSummary| summary.figures.get(&Figure::Ap).map_or(0.0, |ap| ap.value);
            Some(Self {
                night: &night.folder,
                ap: ap(summary) - ap(before),
                changed: summary.figures != before.figures || summary.tally != before.tally,
            })
        })
    }

    /// `same`, or what changed.
    pub(crate) fn verdict(&self) -> String {
        match self.changed {
            true => format!("changed: AP {:+.4}", self.ap),
            false => "same".into(),
        }
    }
}

/// One row of `keypoints.csv`; figures from 0 to 1.
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
    annotations: &'a str,
    boxes: &'a str,
    flip_test: bool,
    images: usize,
    unreadable: usize,
    people: usize,
    people_ignored: usize,
    boxes_seen: usize,
    people_found: usize,
    faults: usize,
    ap: Option<f64>,
    ap_low: Option<f64>,
    ap_high: Option<f64>,
    ap50: Option<f64>,
    ap75: Option<f64>,
    ap_medium: Option<f64>,
    ap_large: Option<f64>,
    ar: Option<f64>,
    ar_low: Option<f64>,
    ar_high: Option<f64>,
    ar50: Option<f64>,
    ar75: Option<f64>,
    ar_medium: Option<f64>,
    ar_large: Option<f64>,
    claims: String,
    images_per_s: Option<f64>,
    before: &'a str,
    since: String,
    started: &'a str,
}

/// The evaluations of keypoints as a table with commas, a row each.
pub(crate) fn table(input: &Input) -> Result<String, csv::Error> {
    let all = in_order(input).into_iter();
    csv_table::write(all.filter_map(|evaluated| {
        let summary = &evaluated.summary;
        let since = Since::of(summary, input.history);
        Some(row(summary, summary.protocol()?, since.as_ref()))
    }))
}

fn row<'a>(summary: &'a PeopleSummary, protocol: &'a Protocol, since: Option<&Since<'a>>) -> Row<'a> {
    let (header, key) = (&summary.header, &summary.header.key);
    let PeopleTally {
        images,
        unreadable,
        people,
        ignored,
        boxes,
        found,
        faults,
    } = summary.tally;
    let estimate = |figure: Figure| summary.figures.get(&figure).copied();
    let value = |figure| estimate(figure).map(|estimate| estimate.value);
    let end = |figure, end: fn(harness::Interval) -> f64| {
        estimate(figure).and_then(|e: Estimate| e.interval).map(end)
    };
    let claims: Vec<String> = summary.claims.iter().map(PeopleClaim::to_string).collect();
    Row {
        variant: &key.variant,
        weights: &key.weights,
        preprocess: &header.preprocess,
        precision: key.precision.to_string(),
        backend: &key.backend,
        batch: key.batch,
        data: &key.data.digest,
        data_images: key.data.images,
        annotations: &protocol.annotations,
        boxes: protocol
            .boxes
            .as_ref()
            .map_or("annotated", |boxes| boxes.file.as_str()),
        flip_test: protocol.flip,
        images,
        unreadable,
        people,
        people_ignored: ignored,
        boxes_seen: boxes,
        people_found: found,
        faults,
        ap: value(Figure::Ap),
        ap_low: end(Figure::Ap, |interval| interval.low),
        ap_high: end(Figure::Ap, |interval| interval.high),
        ap50: value(Figure::Ap50),
        ap75: value(Figure::Ap75),
        ap_medium: value(Figure::ApMedium),
        ap_large: value(Figure::ApLarge),
        ar: value(Figure::Ar),
        ar_low: end(Figure::Ar, |interval| interval.low),
        ar_high: end(Figure::Ar, |interval| interval.high),
        ar50: value(Figure::Ar50),
        ar75: value(Figure::Ar75),
        ar_medium: value(Figure::ArMedium),
        ar_large: value(Figure::ArLarge),
        claims: claims.join("; "),
        images_per_s: summary.pace.map(|pace| pace.images_per_s()),
        before: since.map_or("", |since| since.night),
        since: since.map_or(String::new(), Since::verdict),
        started: &header.started,
    }
}
