//! What a README shows of a report: one chart and one table.

use std::path::{Path, PathBuf};

use crate::cells::Model;
use crate::charts::CHARTS;
use crate::page::Figure;
use crate::sections::pick_table;
use crate::{Input, ReportError, draw, markdown, put_between, write};

/// The markers between which it stands.
const NAME: &str = "report";
/// The first of these that can be drawn is shown.
const CHOSEN: [&str; 3] = ["local.fp32.bs4.HRNet", "ratios.fp32.bs1", "t4.fp32.bs4.HRNet"];

/// Where an excerpt goes and what it points at.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a> {
    /// The README.
    pub readme: &'a Path,
    /// The file for its chart.
    pub chart: &'a Path,
    /// The chart as the README links it.
    pub link: &'a str,
}

/// Writes one chart, and with it one table between the lines `<!-- zoo:report:begin -->` and `<!-- zoo:report:end -->` of
/// a README, and gives the paths of both.
///
/// # Errors
/// If the README cannot be read, has no such lines, or one of the two cannot be written.
pub fn readme(input: &Input, excerpt: Excerpt) -> Result<Vec<PathBuf>, ReportError> {
    let model = Model::new(input);
    let path = excerpt.readme.to_owned();
    let text = std::fs::read_to_string(&path).map_err(|source| ReportError::Io {
        path: path.clone(),
        source,
    })?;
    let figure = figure(&model)?;
    let day = input.day().unwrap_or("nothing measured");
    let body = format!(
        "`{}`, {day}, {}:\n\n![{}]({})\n\n{}",
        input.command,
        model.cpu(),
        figure.title,
        excerpt.link,
        markdown::table(&pick_table(&model))
    );
    let text = put_between(&text, NAME, &body).map_err(|source| ReportError::Markers {
        path: path.clone(),
        source,
    })?;
    let svg = figure.svg.as_deref().unwrap_or_default();
    Ok(vec![
        write(excerpt.chart, &draw::standalone(svg))?,
        write(&path, &text)?,
    ])
}

fn figure(model: &Model) -> Result<Figure, ReportError> {
    let chosen = CHOSEN
        .iter()
        .filter_map(|id| CHARTS.iter().find(|chart| chart.id() == *id));
    for chart in chosen {
        let figure = Figure::of(*chart, model)?;
        if figure.svg.is_some() {
            return Ok(figure);
        }
    }
    Err(ReportError::Chart {
        id: CHOSEN[0].into(),
        reason: "there is nothing to draw: neither measured nor published".into(),
    })
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
            link: "reports/readme.svg",
        };
        readme(&input(&zoo, &records), excerpt).expect("written");
        let text = std::fs::read_to_string(&file).expect("readable");
        assert!(
            text.starts_with("# A\n<!-- zoo:report:begin -->\n`zoo report`, 2026-01-01"),
            "{text}"
        );
        assert!(
            text.contains("![Accuracy against latency here, FP32](reports/readme.svg)"),
            "{text}"
        );
        assert!(text.contains("HRNet\\_W18\\_C\\_ssld") && text.ends_with("<!-- zoo:report:end -->\nrest\n"));
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
