//! What a README shows of a report: one chart and one table.

use std::path::{Path, PathBuf};

use hrnet::Precision;

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

/// Where an excerpt goes and what it points at.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a> {
    /// The README.
    pub readme: &'a Path,
    /// The file for its chart.
    pub chart: &'a Path,
    /// The chart as the README links it.
    pub link: &'a Path,
    /// What leads to the whole page, as the README links it.
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
    let text = put_between(
        &text,
        NAME,
        &text::visible(&body(&model, &choices, &figure, excerpt)),
    )
    .map_err(|source| ReportError::Markers {
        path: path.clone(),
        source,
    })?;
    let svg = figure.svg.as_deref().unwrap_or_default();
    Ok(vec![
        write_text(excerpt.chart, &draw::standalone(svg))?,
        write(&path, &text)?,
    ])
}

/// The choices in f32, in which accuracies are claimed; all where none was measured in it.
fn choices(model: &Model) -> Vec<Choice> {
    let mut choices = pick::of(model, None);
    let plain = |choice: &Choice| choice.case.precision == Precision::F32;
    if choices.iter().any(plain) {
        choices.retain(plain);
    }
    choices
}

fn body(model: &Model, choices: &[Choice], figure: &Figure, excerpt: Excerpt) -> String {
    let input = &model.input;
    let (best, rest): (Vec<&Choice>, Vec<&Choice>) = choices.iter().partition(|choice| choice.best);
    let mut paragraphs = vec![
        format!("!{}", md::link(&figure.title, &text::link(excerpt.link))),
        markdown::table(&readme_table(&best)).trim_end().to_owned(),
    ];
    if !rest.is_empty() {
        let names: Vec<&str> = rest.iter().map(|choice| choice.variant.as_str()).collect();
        let names = names.join(", ");
        let text =
            format!("One of these matches or beats each other variant in both speed and accuracy: {names}.");
        paragraphs.push(md::paragraph(&text));
    }
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

/// How sure the times are.
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

/// Accuracy against the time here at the batch of the table.
fn figure(model: &Model, choices: &[Choice]) -> Result<Figure, ReportError> {
    if let Some(choice) = choices.first() {
        let measured = Accuracy {
            id: "readme",
            title: "Accuracy against latency on this machine",
            x: X::Measured(Precision::F32, choice.case.batch),
        };
        let figure = Figure::of(&measured, model)?;
        if figure.svg.is_some() {
            return Ok(figure);
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
                && text.contains("accuracy: HRNet\\_W18\\_C.")
        );
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
