use harness::eval::{Agreement, Held, McNemar, Share, Summary, Tally};
use registry::Zoo;

use crate::output::table;
use crate::verdicts::chance;

/// The most unreadable images that are listed.
const NAMED: usize = 10;

/// Formats a summary as text; the manifest has the units of the claims.
pub(crate) fn text(zoo: &Zoo, summary: &Summary, unreadable: &[&str]) -> String {
    let key = &summary.header.key;
    let Tally {
        counted,
        top1,
        top5,
        unlabelled,
        ..
    } = summary.tally;
    let of = key.data.images;
    let mut text = format!(
        "{}, {}, {} on {counted} of {} of {}\n",
        key.variant,
        key.precision,
        key.backend,
        harness::counted(of, "image"),
        harness::counted(key.data.classes, "class")
    );
    let row = |name: &str, share: Option<Share>, right: usize, top: usize| {
        let claims: Vec<String> = summary
            .claims
            .iter()
            .filter(|held| held.top == top && held.agreement != Agreement::NotComparable)
            .map(|held| format!("{}: {}", claim(zoo, summary, held), held.verdict()))
            .collect();
        vec![
            name.to_owned(),
            share.map_or("n/a".into(), |share| format!("{:.3} %", 100.0 * share.share)),
            share.map_or(String::new(), |share| {
                let (low, high) = (100.0 * share.interval.low, 100.0 * share.interval.high);
                format!("[{low:.2}, {high:.2}]")
            }),
            right.to_string(),
            claims.join("; "),
        ]
    };
    let rows = [
        row("top-1", summary.top1, top1, 1),
        row("top-5", summary.top5, top5, 5),
    ];
    text.push_str(&table(&["", ">accuracy", "95 %", ">right", "claims"], rows));
    for verdict in not_comparable(zoo, summary) {
        text.push_str(&format!("{verdict}\n"));
    }
    if unlabelled > 0 {
        text.push_str(&format!(
            "without a right class, and not counted: {}\n",
            harness::counted(unlabelled, "image")
        ));
    }
    if !unreadable.is_empty() {
        text.push_str(&format!(
            "{} could not be read:\n",
            harness::counted(unreadable.len(), "image")
        ));
        for error in unreadable.iter().take(NAMED) {
            text.push_str(&format!("  {error}\n"));
        }
        if unreadable.len() > NAMED {
            text.push_str("  and more: the file of answers lists all of them\n");
        }
    }
    if let Some(digest) = &summary.images_sha256 {
        text.push_str(&format!("images {digest}\n"));
    }
    text
}

/// Returns a claim in percent and where it is from, as `76.9 % from page-top1`; if the manifest no longer has it, as it is
/// printed.
fn claim(zoo: &Zoo, summary: &Summary, held: &Held) -> String {
    let variant = zoo.variant(&summary.header.key.variant);
    let accuracy = variant.and_then(|variant| zoo.accuracy(variant, &held.column));
    let figure = accuracy.map_or_else(|| held.printed.clone(), |accuracy| accuracy.in_all_digits());
    format!("{figure} from {}", held.column)
}

/// Returns lines for the claims that are about something else, grouped by reasons.
fn not_comparable(zoo: &Zoo, summary: &Summary) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let claims = summary.claims.iter();
    for held in claims.filter(|held| held.agreement == Agreement::NotComparable) {
        let claim = format!("top-{} {}", held.top, claim(zoo, summary, held));
        let verdict = held.verdict();
        match groups.iter_mut().find(|(other, _)| *other == verdict) {
            Some((_, claims)) => claims.push(claim),
            None => groups.push((verdict, vec![claim])),
        }
    }
    let told = groups.into_iter();
    told.map(|(verdict, claims)| format!("{}: {verdict}", claims.join(", ")))
        .collect()
}

/// Formats a summary as one line.
pub(crate) fn line(zoo: &Zoo, summary: &Summary) -> String {
    let key = &summary.header.key;
    let share = |share: Option<Share>| {
        share.map_or("n/a".into(), |Share { share, interval }| {
            format!(
                "{:.2} % [{:.2}, {:.2}]",
                100.0 * share,
                100.0 * interval.low,
                100.0 * interval.high
            )
        })
    };
    let mut text = format!(
        "{} {} on {}: top-1 {}, top-5 {}",
        key.variant,
        key.precision,
        harness::counted(summary.tally.counted, "image"),
        share(summary.top1),
        share(summary.top5)
    );
    let about = summary.claims.iter();
    let about = about.filter(|held| held.agreement != Agreement::NotComparable);
    let verdicts = about
        .map(|held| {
            let claim = claim(zoo, summary, held);
            format!("top-{} {claim}: {}", held.top, held.verdict())
        })
        .chain(not_comparable(zoo, summary));
    for verdict in verdicts {
        text.push_str(&format!("; {verdict}"));
    }
    if summary.tally.unreadable > 0 {
        text.push_str(&format!(
            "; {} could not be read",
            harness::counted(summary.tally.unreadable, "image")
        ));
    }
    if let Some(pace) = summary.pace {
        text.push_str(&format!("; {:.1} images/s", pace.images_per_s()));
    }
    text
}

/// Formats the comparison of two evaluations on the same images.
pub(crate) fn comparison(names: [&str; 2], both: &McNemar) -> String {
    let McNemar {
        images,
        only_first,
        only_second,
        p,
        agreeing,
    } = *both;
    let better = match only_first.cmp(&only_second) {
        std::cmp::Ordering::Greater => names[0],
        std::cmp::Ordering::Less => names[1],
        std::cmp::Ordering::Equal => "neither",
    };
    let verdict = match p {
        p if p < 0.05 => format!("the difference is significant: {better} is better"),
        _ => "the difference is not significant".into(),
    };
    let share = 100.0 * agreeing as f64 / images.max(1) as f64;
    let alone = [(names[0], only_first), (names[1], only_second)]
        .map(|(name, right)| format!("right with {name} alone: {}\n", harness::counted(right, "image")));
    format!(
        "compared on {}; both have the same top-1 class on {share:.2} % of them\n\
         {}McNemar's exact test: p = {}; {verdict}\n",
        harness::counted(images, "image"),
        alone.concat(),
        chance(p)
    )
}
