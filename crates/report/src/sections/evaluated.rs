use harness::eval::{Held, Share, Summary};
use registry::Zoo;

use super::digits;
use super::people::people;
use crate::cells::Model;
use crate::evaluations::{Since, in_order};
use crate::page::{Block, Item, Section, Table};

/// Accuracies that were measured, beside what is claimed; `None` if none was.
pub(super) fn evaluated(model: &Model) -> Option<Section> {
    let input = &model.input;
    if input.evaluations.is_empty() {
        return None;
    }
    let mut blocks = vec![Block::Text { text: lead(model) }];
    if !input.evaluations.done.is_empty() {
        blocks.extend(classes(model));
    }
    blocks.extend(people(model));
    blocks.extend(left_out(model));
    Some(Section {
        id: "measured-accuracy",
        title: "Accuracy, measured here".into(),
        blocks,
    })
}

/// Evaluations of classifiers, and what identifies them.
fn classes(model: &Model) -> Vec<Block> {
    let input = &model.input;
    let mut table = Table::new(&[
        "network",
        ">top-1, %\nwith 95 %",
        ">top-5, %\nwith 95 %",
        "claims",
        "verdict",
        "since before",
        "precision",
        ">images",
        ">images/s",
    ]);
    let mut keys = Table::new(&[
        "network",
        "weights",
        "preprocessing",
        "precision",
        ">batch",
        "engine",
    ]);
    keys.folded = Some("Weights, preprocessing and engine of each".into());
    for evaluated in in_order(input) {
        let since = Since::of(&evaluated.summary, input.history);
        table.row(row(input.zoo, &evaluated.summary, since.as_ref()));
        keys.row(key(&evaluated.summary));
    }
    vec![
        Block::Table(table),
        Block::Text {
            text: "A claim is compared with an evaluation of the same weights, prepared alike, on all 50 000 images of \
                   ImageNet's validation set; its printed digits decide: 76.9 % stands for 76.85 to 76.95 %. With any other \
                   evaluation it is not comparable. Intervals are Wilson's. Since before: the difference from the last earlier night with \
                   the same network on the same images; any is a change of the program or the machine."
                .into(),
        },
        Block::Table(keys),
    ]
}

fn lead(model: &Model) -> String {
    let evaluations = model.input.evaluations;
    let mut sets: Vec<String> = Vec::new();
    let done = evaluations
        .done
        .iter()
        .map(|evaluated| &evaluated.summary.header.key);
    let people = evaluations
        .people
        .iter()
        .map(|evaluated| &evaluated.summary.header.key);
    for key in done.chain(people) {
        let data = &key.data;
        let of = match key.keypoints {
            Some(_) => "people".to_owned(),
            None => format!("{} classes", data.classes),
        };
        let set = format!(
            "{} images of {of}, digest {}, or a random sample of them",
            data.images,
            short(&data.digest)
        );
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    let mut text = format!("By `zoo eval`, on {}.", sets.join("; and on "));
    if evaluations.seeded > 0 {
        text.push_str(&format!(
            " {} evaluations of seeded weights are left out: their accuracy means nothing.",
            evaluations.seeded
        ));
    }
    if evaluations.parts > 0 {
        text.push_str(&format!(
            " {} shards are left out: `zoo eval merge` puts them together.",
            evaluations.parts
        ));
    }
    text
}

fn row(zoo: &Zoo, summary: &Summary, since: Option<&Since>) -> Vec<String> {
    let (header, tally) = (&summary.header, &summary.tally);
    let share = |share: Option<Share>| {
        share.map_or("n/a".into(), |Share { share, interval }| {
            let (low, high) = (100.0 * interval.low, 100.0 * interval.high);
            format!("{:.2}\n[{low:.2}, {high:.2}]", 100.0 * share)
        })
    };
    let mut images = format!("{} of {}", tally.counted, header.key.data.images);
    if tally.unreadable > 0 {
        images.push_str(&format!("\n{} unreadable", tally.unreadable));
    }
    if tally.unlabelled > 0 {
        images.push_str(&format!("\n{} unlabelled", tally.unlabelled));
    }
    let claims = summary.claims.iter();
    let printed: Vec<String> = claims
        .clone()
        .map(|held| format!("top-{} {}", held.top, claimed(zoo, &header.key.variant, held)))
        .collect();
    let mut verdicts: Vec<String> = claims.map(Held::verdict).collect();
    // One that is the same for all of them is printed once.
    if verdicts.iter().all(|verdict| *verdict == verdicts[0]) {
        verdicts.truncate(1);
    }
    vec![
        header.key.variant.clone(),
        share(summary.top1),
        share(summary.top5),
        if printed.is_empty() {
            "none".into()
        } else {
            printed.join("\n")
        },
        verdicts.join("\n"),
        since.map_or(String::new(), |since| since.verdict().replace(": ", ":\n")),
        header.key.precision.to_string(),
        images,
        summary
            .pace
            .map_or(String::new(), |pace| digits(pace.images_per_s())),
    ]
}

/// The claim in percent, in the digits that decide; as it is printed if the manifest no longer has it.
fn claimed(zoo: &Zoo, variant: &str, held: &Held) -> String {
    let variant = zoo.variant(variant);
    let accuracy = variant.and_then(|variant| zoo.accuracy(variant, &held.column));
    accuracy.map_or_else(|| held.printed.clone(), |accuracy| accuracy.in_all_digits())
}

fn key(summary: &Summary) -> Vec<String> {
    let (header, key) = (&summary.header, &summary.header.key);
    vec![
        key.variant.clone(),
        short(&key.weights).to_owned(),
        header.preprocess.clone(),
        key.precision.to_string(),
        key.batch.to_string(),
        key.backend.clone(),
    ]
}

/// The beginning of a digest.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// The networks without an evaluation, those of one reason together.
fn left_out(model: &Model) -> Option<Block> {
    let mut items: Vec<Item> = Vec::new();
    for left in &model.input.evaluations.left_out {
        let weight = if left.failed { "failed" } else { "note" };
        match items
            .iter_mut()
            .find(|item| (item.weight, &item.text) == (weight, &left.reason))
        {
            Some(item) => item.subject.push_str(&format!(", {}", left.variant)),
            None => items.push(Item {
                weight,
                subject: left.variant.clone(),
                text: left.reason.clone(),
            }),
        }
    }
    (!items.is_empty()).then_some(Block::List { items })
}
