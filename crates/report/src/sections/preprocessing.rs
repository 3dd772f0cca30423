use harness::{Case, PreprocessCase};

use super::{digits, digits_like};
use crate::Input;
use crate::page::{Block, Section, Table};

pub(super) fn preprocessing(input: &Input) -> Option<Section> {
    let mut table = Table::new(&["step", "precision", ">batch", ">median ms", ">±", ">images/s"]);
    for record in input.records {
        let (Case::Preprocess(case), Some(summary)) = (&record.case, record.summary()) else {
            continue;
        };
        let (step, precision, batch) = match case {
            PreprocessCase::Decode => ("decode JPEG, 451 x 300".to_owned(), String::new(), 1),
            PreprocessCase::Batch {
                resize,
                crop,
                precision,
                batch,
            } => (
                format!("short side {resize}, crop {crop}, normalise"),
                precision.to_string(),
                *batch,
            ),
        };
        let per_second = batch as f64 / (summary.median_ns / 1e9);
        let median = summary.median_ms();
        let spread = digits_like(summary.mad_ns / 1e6, median);
        table.rows.push(vec![
            step,
            precision,
            batch.to_string(),
            digits(median),
            spread,
            digits(per_second),
        ]);
    }
    let text = "One thread, pixels as OpenCV's INTER_LINEAR makes them.".into();
    (!table.rows.is_empty()).then(|| Section {
        title: "Preprocessing on this machine".into(),
        blocks: vec![Block::Text { text }, Block::Table(table)],
    })
}
