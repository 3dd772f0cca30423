use harness::Record;

use super::{digits, digits_like, drawn};
use crate::cells::{Model, Step};
use crate::page::{Block, Figure, Section, Table};

pub(super) fn preprocessing(model: &Model, figures: Vec<Figure>) -> Option<Section> {
    let mut table = Table::new(&["step", "precision", ">batch", ">median ms", ">±", ">images/s"]);
    for step in model.preparations() {
        let what = match step.step {
            Step::Decode => "decode JPEG, 451 x 300".to_owned(),
            Step::Centre { resize, crop } => format!("short side {resize}, crop {crop}, normalise"),
            Step::Person(size) => format!("warp a person's box to {} x {}, normalise", size.h, size.w),
        };
        let median = step.times.median_ms();
        table.row(vec![
            what,
            step.precision
                .map_or(String::new(), |precision| precision.to_string()),
            step.cell.case.images().to_string(),
            digits(median),
            digits_like(step.times.mad_ns / 1e6, median),
            step.cell.over(Record::images_per_s).map_or(String::new(), digits),
        ]);
    }
    if table.rows.is_empty() {
        return None;
    }
    let text = "On one thread, with pixels as `cv2.INTER_LINEAR` makes them, or `cv2.warpAffine` for the box of a person.".into();
    let mut blocks = vec![Block::Text { text }];
    blocks.extend(drawn(figures));
    table.folded = Some(format!(
        "All {} in numbers",
        harness::counted(table.rows.len(), "step")
    ));
    blocks.push(Block::Table(table));
    Some(Section {
        id: "preprocessing",
        title: "Preprocessing on this machine".into(),
        blocks,
    })
}
