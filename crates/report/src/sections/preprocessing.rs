use harness::{Case, PreprocessCase};

use super::{digits, digits_like, drawn};
use crate::cells::Model;
use crate::page::{Block, Figure, Section, Table};

pub(super) fn preprocessing(model: &Model, figures: Vec<Figure>) -> Option<Section> {
    let mut table = Table::new(&["step", "precision", ">batch", ">median ms", ">±", ">images/s"]);
    for cell in model.alone() {
        let (Case::Preprocess(case), Ok(times)) = (cell.case, &cell.times) else {
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
        let median = times.median_ms();
        table.row(vec![
            step,
            precision,
            batch.to_string(),
            digits(median),
            digits_like(times.mad_ns / 1e6, median),
            digits(cell.per_second(times)),
        ]);
    }
    if table.rows.is_empty() {
        return None;
    }
    let text = "One thread, pixels as OpenCV's INTER_LINEAR makes them.".into();
    let mut blocks = vec![Block::Text { text }];
    blocks.extend(drawn(figures));
    blocks.push(Block::Table(table));
    Some(Section {
        id: "preprocessing",
        title: "Preprocessing on this machine".into(),
        blocks,
    })
}
