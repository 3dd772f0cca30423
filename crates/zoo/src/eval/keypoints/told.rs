use harness::counted;
use harness::eval::{Agreement, Estimate, Figure, PeopleClaim, PeopleSummary, PeopleTally};

use crate::output::table;

/// The most images and faults that are listed.
const NAMED: usize = 10;

/// Formats a summary as text.
pub(crate) fn text(summary: &PeopleSummary, unreadable: &[&str], faults: &[&str]) -> String {
    let key = &summary.header.key;
    let PeopleTally {
        images,
        people,
        ignored,
        boxes,
        found,
        ..
    } = summary.tally;
    let mut text = format!(
        "{}, {}, {} on {images} of {}\nannotated people who count: {people}; others: {ignored}; boxes: {boxes}; people found: \
         {found}\n",
        key.variant,
        key.precision,
        key.backend,
        counted(key.data.images, "image"),
    );
    if let Some(protocol) = summary.protocol() {
        text.push_str(&format!("{protocol}\n"));
    }
    if summary.figures.is_empty() {
        text.push_str("no annotated person counts, so there is no AP\n");
    } else {
        let rows = summary
            .figures
            .iter()
            .map(|(figure, estimate)| row(summary, *figure, estimate));
        text.push_str(&table(&["", ">value", "95 %", "claims"], rows));
    }
    for verdict in not_comparable(&summary.claims) {
        text.push_str(&format!("{verdict}\n"));
    }
    list(
        &mut text,
        &format!("{} could not be read", counted(unreadable.len(), "image")),
        unreadable,
    );
    list(
        &mut text,
        &format!("faults that lost no image: {}", faults.len()),
        faults,
    );
    if let Some(digest) = &summary.images_sha256 {
        text.push_str(&format!("images {digest}\n"));
    }
    text
}

fn row(summary: &PeopleSummary, figure: Figure, estimate: &Estimate) -> Vec<String> {
    let claims = summary.claims.iter();
    let claims = claims.filter(|claim| claim.figure == figure && claim.agreement != Agreement::NotComparable);
    let claims: Vec<String> = claims
        .map(|claim| format!("{} from {}: {}", claim.printed, claim.column, claim.verdict()))
        .collect();
    let interval = estimate.interval;
    vec![
        figure.to_string(),
        format!("{:.4}", estimate.value),
        interval.map_or(String::new(), |interval| {
            format!("[{:.3}, {:.3}]", interval.low, interval.high)
        }),
        claims.join("; "),
    ]
}

/// Returns lines for the claims that are about something else, grouped by reasons.
fn not_comparable(claims: &[PeopleClaim]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for claim in claims
        .iter()
        .filter(|claim| claim.agreement == Agreement::NotComparable)
    {
        let named = format!("{} {} from {}", claim.figure, claim.printed, claim.column);
        let verdict = claim.verdict();
        match groups.iter_mut().find(|(other, _)| *other == verdict) {
            Some((_, claims)) => claims.push(named),
            None => groups.push((verdict, vec![named])),
        }
    }
    let told = groups.into_iter();
    told.map(|(verdict, claims)| format!("{}: {verdict}", claims.join(", ")))
        .collect()
}

/// Adds a title and the first lines of a list, unless it is empty.
fn list(text: &mut String, title: &str, lines: &[&str]) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("{title}:\n"));
    for line in lines.iter().take(NAMED) {
        text.push_str(&format!("  {line}\n"));
    }
    if lines.len() > NAMED {
        text.push_str("  and more: the file of answers lists all of them\n");
    }
}
