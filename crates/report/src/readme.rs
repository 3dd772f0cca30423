//! The part of a README that shows a report: one chart and one table.

use std::path::{Path, PathBuf};

use hrnet::Precision;
use registry::TaskKind;

use crate::cells::Model;
use crate::charts::{Accuracy, X, threads};
use crate::page::Figure;
use crate::pick::{self, Choice};
use crate::sections::readme_table;
use crate::text::markdown as md;
use crate::{Input, ReportError, draw, markdown, put_between, text, write, write_text};

/// The markers between which it stands.
const NAME: &str = "report";
/// The chart where nothing was measured.
const PUBLISHED: Accuracy = Accuracy {
    id: "readme",
    title: "Accuracy against T4 latency, f32",
    x: X::Published("NVIDIA T4", Precision::F32, 4),
};

/// The files of an excerpt and its links.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a> {
    /// The README.
    pub readme: &'a Path,
    /// The file for its chart.
    pub chart: &'a Path,
    /// The chart as the README links it.
    pub link: &'a Path,
    /// The file that leads to the whole page, as the README links it.
    pub page: &'a Path,
}

/// Writes one chart, and with it one table between the lines `<!-- zoo:report:begin -->` and `<!-- zoo:report:end -->` of
/// a README, and gives the paths of both.
///
/// # Errors
/// If the README cannot be read, has no such lines, or one of the two cannot be written.
pub fn readme(input: &Input, excerpt: Excerpt) -> Result<Vec<PathBuf>, ReportError> {
    let model = Model::new(input);
    let path = excerpt.readme.to_owned();
    let text = files::read_text(&path, files::LARGEST_TEXT).map_err(|source| ReportError::Io {
        path: path.clone(),
        source,
    })?;
    let choices = choices(&model);
    let figure = figure(&model, &choices)?;
    let figure = figure.as_ref();
    let text = put_between(
        &text,
        NAME,
        &text::visible(&body(&model, &choices, figure, excerpt)),
    )
    .map_err(|source| ReportError::Markers {
        path: path.clone(),
        source,
    })?;
    let chart = figure.map(|figure| write_text(excerpt.chart, &draw::standalone(&figure.svg)));
    let mut written: Vec<PathBuf> = chart.transpose()?.into_iter().collect();
    written.push(write(&path, &text)?);
    Ok(written)
}

/// The choices in f32, in which accuracies are claimed; all where none was measured in it.
fn choices(model: &Model) -> Vec<Choice> {
    let mut choices = pick::of(model, TaskKind::Classes);
    let plain = |choice: &Choice| choice.case.precision == Precision::F32;
    if choices.iter().any(plain) {
        choices.retain(plain);
    }
    choices
}

fn body(model: &Model, choices: &[Choice], figure: Option<&Figure>, excerpt: Excerpt) -> String {
    let input = &model.input;
    let (best, rest): (Vec<&Choice>, Vec<&Choice>) = choices.iter().partition(|choice| choice.best);
    let chart = figure.map(|figure| format!("!{}", md::link(&figure.title, &text::link(excerpt.link))));
    let mut paragraphs: Vec<String> = chart.into_iter().collect();
    paragraphs.push(markdown::table(&readme_table(&best)).trim_end().to_owned());
    paragraphs.extend(others(model, choices, &rest).map(|text| md::paragraph(&text)));
    let mut sure: Vec<String> = sure(&best).into_iter().collect();
    let made_up = |choice: &&Choice| choice.weights.starts_with("seeded:");
    let weights = if best.iter().any(made_up) {
        " Random weights were used, which does not change the speed."
    } else {
        ""
    };
    sure.push(format!("Accuracies are as published.{weights}"));
    sure.push(format!(
        "[The report]({}) has charts, other engines, history and caveats.",
        text::link(excerpt.page)
    ));
    paragraphs.push(sure.join(" "));
    paragraphs.push(format!(
        "{}, {}, {}, {}.",
        md::code(input.command),
        input.day().unwrap_or("nothing measured"),
        md::escape(model.cpu()),
        threads(
            input
                .records
                .first()
                .map_or(0, |record| record.provenance.machine.threads)
        ),
    ));
    paragraphs.join("\n\n")
}

/// The variants that are not in the table, by the reason for it: beaten, without a published accuracy, or not measured.
fn others(model: &Model, choices: &[Choice], rest: &[&Choice]) -> Option<String> {
    let names = |claimed: bool| -> Vec<&str> {
        let rest = rest.iter().filter(|choice| choice.accuracy.is_some() == claimed);
        rest.map(|choice| choice.variant.as_str()).collect()
    };
    let is_missing = |name: &&str| choices.iter().all(|choice| choice.variant != *name);
    let variants = model.input.zoo.classifiers().map(|variant| variant.name.as_str());
    let kinds = [
        (
            "because a network in the table is at least as fast and at least as accurate",
            names(true),
        ),
        ("because no accuracy of theirs is published", names(false)),
        (
            "because they were not measured",
            variants.filter(is_missing).collect(),
        ),
    ];
    let kinds = kinds.into_iter().filter(|(_, names)| !names.is_empty());
    let sentences: Vec<String> = kinds
        .map(|(why, names)| format!("Not in the table, {why}: {}.", names.join(", ")))
        .collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// The precision of the times, in a sentence.
fn sure(choices: &[&Choice]) -> Option<String> {
    let samples = || choices.iter().map(|choice| choice.samples);
    let (fewest, most) = (samples().min()?, samples().max()?);
    let half = |choice: &&Choice| {
        let (low, high) = choice.interval_ns?;
        Some((high - low) / 2.0 / choice.median_ns)
    };
    let widest = choices.iter().filter_map(half).reduce(f64::max);
    let widest = widest.map_or(String::new(), |widest| {
        format!(
            "; brackets give a 95 % interval (with two to five processes their range), at most ± {:.1} %",
            100.0 * widest
        )
    });
    let runs = if fewest == most {
        most.to_string()
    } else {
        format!("{fewest} to {most}")
    };
    Some(format!("Times are medians of {runs} runs{widest}."))
}

/// Accuracy against the time here at the batch of the table; if nothing was measured, against published times.
fn figure(model: &Model, choices: &[Choice]) -> Result<Option<Figure>, ReportError> {
    if let Some(choice) = choices.first() {
        let measured = Accuracy {
            id: "readme",
            title: "Accuracy against latency on this machine",
            x: X::Measured(Precision::F32, choice.case.batch),
        };
        if let Some(figure) = Figure::of(&measured, model)? {
            return Ok(Some(figure));
        }
    }
    Figure::of(&PUBLISHED, model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{input, record, zoo};

    #[test]
    fn a_readme_gets_its_chart_and_table_and_keeps_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, chart) = (folder.path().join("README.md"), folder.path().join("readme.svg"));
        let text = "# A\n<!-- zoo:report:begin -->\n<!-- zoo:report:end -->\nrest\n";
        std::fs::write(&file, text).expect("written");
        let records = [
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[10; 30]),
            record("HRNet_W18_C/f32/bs4/crop224/cpu/t2", &[40; 30]),
        ];
        let zoo = zoo();
        let excerpt = Excerpt {
            readme: &file,
            chart: &chart,
            link: Path::new("reports/readme.svg"),
            page: Path::new("reports/README.md"),
        };
        readme(&input(&zoo, &records), excerpt).expect("written");
        let text = std::fs::read_to_string(&file).expect("readable");
        assert!(
            text.starts_with("# A\n<!-- zoo:report:begin -->\n![Accuracy against latency on this machine](reports/readme.svg)"),
            "{text}"
        );
        assert!(
            text.contains(
                "medians of 30 runs; brackets give a 95 % interval (with two to five processes their range), at most ± 0.0 %"
            ),
            "{text}"
        );
        assert!(
            text.contains("| HRNet\\_W18\\_C\\_ssld | 81.6 % | f32 |")
                && text.contains(
                    "Not in the table, because a network in the table is at least as fast and at least as accurate: \
                     HRNet\\_W18\\_C, HRNet\\_W18\\_C\\_aug. Not in the table, because they were not measured: HRNet\\_W30\\_C,"
                )
                && text.contains(", hrnet\\_w18\\_small\\_gluon, hrnet\\_w18\\_small\\_v2\\_gluon."),
            "{text}"
        );
        for variant in zoo.classifiers() {
            assert!(text.contains(&md::escape(&variant.name)), "{}", variant.name);
        }
        assert!(text.contains("[The report](reports/README.md)"), "{text}");
        assert!(
            text.contains("`zoo report`, 2026-01-01, Some CPU, 2 threads.")
                && text.ends_with("<!-- zoo:report:end -->\nrest\n")
        );
        assert!(
            std::fs::read_to_string(&chart)
                .expect("readable")
                .contains("<style>")
        );

        std::fs::write(&file, "# A\n").expect("written");
        let error = readme(&input(&zoo, &records), excerpt)
            .expect_err("no lines")
            .to_string();
        assert!(
            error.contains("README.md: there is no line `<!-- zoo:report:begin -->`"),
            "{error}"
        );
    }
}
