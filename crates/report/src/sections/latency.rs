use std::collections::{BTreeMap, BTreeSet};

use harness::{Case, NetworkCase, Record, counted};
use hrnet::{Precision, Size};
use registry::{TaskKind, Variant};

use super::{digits, digits_like, drawn, failures};
use crate::cells::{Cell, Model};
use crate::charts::threads;
use crate::page::{Block, Figure, Section, Table};
use crate::peers;

/// The setting of a table: backend, threads and crop.
type Setting<'a> = (&'a str, usize, Size);

/// The cells of one table by network, precision and batch.
type Cells<'m, 'a> = BTreeMap<(&'a str, Precision, usize), &'m Cell<'a>>;

/// The charts, and the tables of classifiers.
pub(super) fn latencies(model: &Model, figures: Vec<Figure>) -> Option<Section> {
    let mut blocks: Vec<Block> = drawn(figures).into_iter().collect();
    blocks.extend(tables(model, TaskKind::Classes));
    if blocks.is_empty() {
        return None;
    }
    blocks.extend(peers::advice(model));
    Some(Section {
        id: "latency",
        title: "Latency on this machine".into(),
        blocks,
    })
}

/// One table for each backend, thread count and size of a task's networks: networks down, precision and batch across. Below them
/// the spread of the times, and the cells that failed. Empty if there is none of these.
pub(super) fn tables(model: &Model, task: TaskKind) -> Vec<Block> {
    let mut settings: BTreeMap<Setting, Cells> = BTreeMap::new();
    for cell in model.alone_of(task) {
        if let Case::Network(case) = cell.case {
            let setting = (case.backend.as_str(), case.threads, case.crop);
            let key = (case.variant.as_str(), case.precision, case.batch);
            settings.entry(setting).or_default().insert(key, cell);
        }
    }
    let runs = match task {
        TaskKind::Classes => "images",
        TaskKind::Pose => "people",
    };
    let legend = || Block::Text {
        text: format!(
            "Median in ms, ± the median absolute deviation of single runs, and below it {runs} per second. The batch is in \
             memory; preprocessing is not in the time. A dash was not measured: \
             `zoo bench -m NAME --precision LIST -b LIST` measures it."
        ),
    };
    let mut blocks: Vec<Block> = (!settings.is_empty()).then(legend).into_iter().collect();
    for ((backend, count, crop), cells) in &settings {
        blocks.push(Block::Text {
            text: format!(
                "Backend {backend}, {}, {} x {} pixels:",
                threads(*count),
                crop.h,
                crop.w
            ),
        });
        blocks.push(Block::Table(table(model, cells)));
    }
    blocks.extend(spread(model, task));
    // Work before the network is told with the classifiers.
    let is_here = |cell: &&Cell| model.is_of(cell, TaskKind::Pose) == (task == TaskKind::Pose);
    let cells = model.alone().filter(is_here);
    blocks.extend(failures(cells.flat_map(|cell| &cell.records).copied()));
    blocks
}

fn table(model: &Model, cells: &Cells) -> Table {
    let columns: BTreeSet<(Precision, usize)> = cells
        .keys()
        .map(|(_, precision, batch)| (*precision, *batch))
        .collect();
    let mut titles = vec!["network".to_owned()];
    let title = |(precision, batch): &(Precision, usize)| format!(">{precision}, batch {batch}");
    titles.extend(columns.iter().map(title));
    let mut table = Table::new(&titles);
    for variant in &model.input.zoo.variants {
        let found: Vec<Option<&&Cell>> = columns
            .iter()
            .map(|(precision, batch)| cells.get(&(variant.name.as_str(), *precision, *batch)))
            .collect();
        if found.iter().any(Option::is_some) {
            let mut row = vec![shared_name(model, variant)];
            row.extend(
                found
                    .into_iter()
                    .map(|cell| cell.map_or("–".to_owned(), |cell| text(cell))),
            );
            table.row(row);
        }
    }
    table
}

fn text(cell: &Cell) -> String {
    let Ok(times) = &cell.times else {
        return "failed".into();
    };
    let (median, spread) = (
        digits(times.median_ms()),
        digits_like(times.mad_ns / 1e6, times.median_ms()),
    );
    let images = cell.over(Record::images_per_s).map_or(String::new(), digits);
    format!("{median} ± {spread} ms\n{images}/s")
}

/// A variant's name with those that share its network.
fn shared_name(model: &Model, variant: &Variant) -> String {
    let zoo = model.input.zoo;
    let network = |variant| zoo.network_of(variant).name.as_str();
    let twins = zoo
        .variants
        .iter()
        .filter(|other| network(other) == network(variant));
    let names: Vec<&str> = twins.map(|twin| twin.name.as_str()).collect();
    names.join("\n")
}

/// The number of samples per cell and their spread, in words.
fn spread(model: &Model, task: TaskKind) -> Option<Block> {
    let measured = || {
        let cells = model.alone_of(task).filter_map(Cell::measured);
        cells.map(|(case, times)| (case, times.samples, times.spread()))
    };
    let fewest = measured().map(|(_, samples, _)| samples).min()?;
    let most = measured().map(|(_, samples, _)| samples).max()?;
    let (case, _, largest): (&NetworkCase, usize, f64) = measured().max_by(|a, b| a.2.total_cmp(&b.2))?;
    let doubt = if largest > 0.1 {
        " Differences smaller than that mean nothing."
    } else {
        ""
    };
    let runs = match fewest == most {
        true => format!("Each cell has {}.", counted(most, "run")),
        false => format!("The cells have {fewest} to {most} runs each."),
    };
    Some(Block::Text {
        text: format!(
            "{runs} The largest median absolute deviation is {:.1} % of its median ({}).{doubt}",
            largest * 100.0,
            Case::Network(case.clone())
        ),
    })
}
