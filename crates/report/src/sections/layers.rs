use harness::{StepSum, counted};

use super::{digits, drawn};
use crate::cells::Model;
use crate::layers::{Breakdown, breakdown};
use crate::page::{Block, Figure, Section, Table};

/// The chart, and below it the same in numbers.
pub(super) fn layers(model: &Model, figures: Vec<Figure>) -> Option<Section> {
    let breakdown = breakdown(model)?;
    let debug = if breakdown.times.provenance.is_debug_build() {
        " It was a debug build, which optimises less."
    } else {
        ""
    };
    let text = format!(
        "One network as an example, step by step: {}, each step timed in {}. The limit is what direct convolution could reach \
         at most: {} GMAC/s of the instruction that multiplies the step's format, in the same process. Winograd's filtering \
         multiplies less than the layers' definitions count, so it passes 100 %. \
         `zoo profile NAME --out layers.json` times another network.{debug}",
        breakdown.what(),
        counted(breakdown.times.runs(), "run"),
        breakdown.peaks()
    );
    let mut table = Table::new(&[
        "part",
        ">steps",
        ">ms",
        ">share, %",
        ">MMACs",
        ">GMAC/s",
        ">of the limit, %",
    ]);
    for part in &breakdown.parts {
        table.row(row(&breakdown, &part.name, &part.sum));
    }
    table.row(row(&breakdown, "all", &breakdown.all));
    let mut blocks = vec![Block::Text { text }];
    blocks.extend(drawn(figures));
    blocks.push(Block::Table(table));
    Some(Section {
        id: "layers",
        title: "Where the time goes".into(),
        blocks,
    })
}

fn row<K>(breakdown: &Breakdown, name: &str, sum: &StepSum<K>) -> Vec<String> {
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    vec![
        name.to_owned(),
        sum.steps.to_string(),
        digits(sum.time_ns / 1e6),
        format!("{:.1}", 100.0 * breakdown.share(sum)),
        format!("{:.1}", sum.macs as f64 / 1e6),
        or_empty(sum.macs_per_s().map(|rate| digits(rate / 1e9))),
        or_empty(sum.share_of_peak().map(|share| format!("{:.0}", 100.0 * share))),
    ]
}
