use harness::{Times, counted};
use hrnet::Precision;
use registry::TaskKind;

use super::digits;
use crate::cells::Model;
use crate::charts::threads;
use crate::page::{Block, Section, Table};
use crate::pick::{self, Choice, faster};

/// Choices that a page shows without being asked.
const SHOWN: usize = 15;

/// The choice of a network: claimed accuracy against the time measured here.
pub(super) fn pick(model: &Model) -> Option<Section> {
    let choices = pick::of(model, TaskKind::Classes);
    let batch = choices.first()?.case.batch;
    let few = choices.iter().filter(|choice| !choice.enough).count();
    let many = choices.len() > SHOWN;
    let named = if many { String::new() } else { best(&choices) };
    let mut text = format!(
        "Worth considering at batch {batch}{named}. {}",
        rivals(model, &choices)
    );
    text.push_str(
        " Medians decide, without a test: two that are close may be as fast as each other. `zoo pick --max-p90 60ms --min-top1 78%` \
         asks the same of these records.",
    );
    if choices
        .iter()
        .any(|choice| choice.case.precision != Precision::F32)
    {
        text.push_str(
            " Accuracies are claimed in f32; what another precision costs is below under fidelity, and `zoo eval` measures it.",
        );
    }
    if few > 0 {
        text.push_str(&format!(
            " ≤: fewer than {} runs are too few for a 90th percentile, and the slowest run stands in.",
            Times::P90_SAMPLES
        ));
    }
    let mut blocks = vec![Block::Text { text }];
    let mut all = page_table(choices.iter());
    if many {
        blocks.push(Block::Table(page_table(
            choices.iter().filter(|choice| choice.best),
        )));
        all.folded = Some(format!("All {}", counted(choices.len(), "choice")));
    }
    blocks.push(Block::Table(all));
    Some(Section {
        id: "pick",
        title: "Which one should I use?".into(),
        blocks,
    })
}

/// The rest of the page beside the best choices, in a sentence: nothing is as fast, or engines of somebody else are faster.
pub(super) fn rivals(model: &Model, choices: &[Choice]) -> String {
    let best = choices.iter().filter(|choice| choice.best);
    let mut rivals: Vec<String> = best
        .filter_map(|choice| {
            let (ours, other) = (&choice.case, faster(model, choice)?);
            Some(format!(
                "{} in {} takes {} ms here and {} ms on {} in {}{}",
                ours.variant,
                ours.precision,
                digits(choice.median_ns / 1e6),
                digits(other.median_ns / 1e6),
                other.case.backend,
                other.case.precision,
                match other.case.threads {
                    count if count == ours.threads => String::new(),
                    count => format!(", {}", threads(count)),
                }
            ))
        })
        .collect();
    rivals.dedup();
    if rivals.is_empty() {
        return "Nothing else on this page with a published accuracy is as fast, as accurate and as exact."
            .into();
    }
    format!(
        "On the engines of this program nothing else with a published accuracy is as fast, as accurate and as exact. Other \
         engines are faster: {}.",
        rivals.join("; ")
    )
}

/// The choices that nothing beats, by precision, as the end of a sentence.
fn best(choices: &[Choice]) -> String {
    let told = |choice: &Choice| {
        let ms = digits(choice.median_ns / 1e6);
        format!("{} ({} in {ms} ms)", choice.variant, choice.claimed)
    };
    let in_each = Precision::ALL.into_iter().filter_map(|precision| {
        let these = choices
            .iter()
            .filter(|choice| choice.best && choice.case.precision == precision);
        let these: Vec<String> = these.map(told).collect();
        (!these.is_empty()).then(|| format!("{precision}: {}", these.join(", ")))
    });
    format!(", in {}", in_each.collect::<Vec<_>>().join("; in "))
}

/// A title, right-aligned after a `>`, and what stands below it.
type Column = (&'static str, fn(&Choice) -> String);

const VARIANT: Column = ("variant", |choice| choice.variant.clone());
const P90: Column = (">p90, ms", p90);
const IMAGES: Column = (">images/s", images);
const HOW: Column = ("how", how);
const PRECISION: Column = ("precision", |choice| choice.case.precision.to_string());

/// The choices that a README shows.
pub(crate) fn readme_table(choices: &[&Choice]) -> Table {
    let columns = [
        VARIANT,
        (">top-1, claimed", |choice| choice.claimed.clone()),
        PRECISION,
        (">median, ms", |choice| median(choice, " ")),
        P90,
        IMAGES,
        HOW,
    ];
    table(&columns, choices.iter().copied())
}

/// The choices that a page shows, in narrower columns.
fn page_table<'a>(choices: impl Iterator<Item = &'a Choice>) -> Table {
    let columns = [
        VARIANT,
        (">top-1,\nclaimed", |choice| choice.claimed.clone()),
        PRECISION,
        (">median, ms", |choice| median(choice, "\n")),
        ("worth it", |choice| if choice.best { "yes" } else { "" }.into()),
        P90,
        IMAGES,
        HOW,
    ];
    table(&columns, choices)
}

/// The choices among pose networks.
pub(super) fn pose_table<'a>(choices: impl Iterator<Item = &'a Choice>) -> Table {
    let columns: [Column; 9] = [
        VARIANT,
        ("input", |choice| choice.case.crop.to_string()),
        (">AP, claimed", |choice| {
            // AP on other data is another figure.
            let data = choice.data.as_ref().map(|data| format!("\n{data}"));
            format!("{}{}", choice.claimed, data.unwrap_or_default())
        }),
        PRECISION,
        (">median, ms", |choice| median(choice, "\n")),
        ("worth it", |choice| if choice.best { "yes" } else { "" }.into()),
        P90,
        (">people/s", images),
        HOW,
    ];
    table(&columns, choices)
}

fn table<'a>(columns: &[Column], choices: impl Iterator<Item = &'a Choice>) -> Table {
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let mut table = Table::new(&titles);
    for choice in choices {
        table.row(columns.iter().map(|(_, value)| value(choice)).collect());
    }
    table
}

fn median(choice: &Choice, between: &str) -> String {
    let within = choice.interval_ns.map_or(String::new(), |(low, high)| {
        format!("{between}[{}, {}]", digits(low / 1e6), digits(high / 1e6))
    });
    let noisy = choice.noise.map_or(String::new(), |_| format!("{between}noisy"));
    format!("{}{within}{noisy}", digits(choice.median_ns / 1e6))
}

fn p90(choice: &Choice) -> String {
    let bound = if choice.enough { "" } else { "≤ " };
    format!("{bound}{}", digits(choice.p90_ns / 1e6))
}

fn images(choice: &Choice) -> String {
    digits(choice.case.batch as f64 / (choice.median_ns / 1e9))
}

fn how(choice: &Choice) -> String {
    let case = &choice.case;
    format!("{}, {}", case.backend, threads(case.threads))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{record, with};

    #[test]
    fn the_first_sentence_counts_every_engine_on_the_page() {
        let text = |peer_ms: u64| {
            let records = [
                record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[44; 8]),
                record("HRNet_W18_C/f32/bs1/crop224/openvino/t2", &[peer_ms; 8]),
            ];
            let section = with(&records, pick).expect("measured");
            match section.blocks.into_iter().next() {
                Some(Block::Text { text }) => text,
                block => panic!("{block:?}"),
            }
        };
        let slower = text(60);
        assert!(
            slower.contains(" Nothing else on this page with a published accuracy is as fast, "),
            "{slower}"
        );
        let one_thread = [
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[44; 8]),
            record("HRNet_W18_C/f32/bs1/crop224/openvino/t1", &[30; 8]),
        ];
        let sentence = with(&one_thread, |model| {
            rivals(model, &pick::of(model, TaskKind::Classes))
        });
        assert!(sentence.ends_with(" on openvino in f32, 1 thread."), "{sentence}");
        let faster = text(30);
        assert!(
            faster.contains(
                " Other engines are faster: HRNet_W18_C in f32 takes 44.00 ms here and 30.00 ms on openvino in f32. "
            ) && !faster.contains("Nothing else on this page"),
            "{faster}"
        );
    }
}
