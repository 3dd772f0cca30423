use super::{Finding, Severity};
use crate::{Claim, Column, Metric, Unit, Variant, Zoo};

/// Accuracies are compared as whole numbers of this fraction.
const RESOLUTION: f64 = 1e-7;

/// An accuracy in units of [`RESOLUTION`], with the step it was rounded to.
struct Figure<'a> {
    column: &'a Column,
    claim: &'a Claim,
    /// The preprocessing of its photos.
    protocol: &'a str,
    quantity: Quantity,
    value: i64,
    step: i64,
}

/// The quantity of an accuracy, be it printed as such or as an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Top1,
    Top5,
    Ap,
    Ap50,
    Ap75,
    Ar,
    Pckh,
}

impl<'a> Figure<'a> {
    fn of(zoo: &'a Zoo, claim: &'a Claim) -> Option<Self> {
        let column = zoo.column(&claim.column)?;
        let error = matches!(column.metric, Metric::Top1Error | Metric::Top5Error);
        let quantity = match column.metric {
            Metric::Top1 | Metric::Top1Error => Quantity::Top1,
            Metric::Top5 | Metric::Top5Error => Quantity::Top5,
            Metric::Ap => Quantity::Ap,
            Metric::Ap50 => Quantity::Ap50,
            Metric::Ap75 => Quantity::Ap75,
            Metric::Ar => Quantity::Ar,
            Metric::Pckh => Quantity::Pckh,
            Metric::Flops { .. } | Metric::Params { .. } | Metric::Latency { .. } => return None,
        };
        let weights = claim.weights.as_ref()?;
        let source = zoo.variant(&weights.variant)?.artifact(&weights.artifact)?;
        let scale = column.unit.scale() / RESOLUTION;
        let units = |value: f64| (value * scale).round() as i64;
        let value = if error {
            units(1.0 / column.unit.scale() - claim.value)
        } else {
            units(claim.value)
        };
        let step = units(0.1_f64.powi(i32::try_from(claim.decimals()).unwrap_or(0))).max(1);
        Some(Self {
            column,
            claim,
            protocol: column.preprocess.as_ref().unwrap_or(&source.preprocess.id),
            quantity,
            value,
            step,
        })
    }

    /// Returns whether both are the same accuracy of the same weights, of the same images prepared alike, by one protocol.
    fn is_comparable_with(&self, other: &Self) -> bool {
        self.claim.weights == other.claim.weights
            && self.quantity == other.quantity
            && self.protocol == other.protocol
            && self.column.data == other.column.data
            && self.column.protocol == other.column.protocol
    }

    /// The figure with its unit, as printed.
    fn printed(&self) -> String {
        let unit = if self.column.unit == Unit::Percent {
            " %"
        } else {
            ""
        };
        format!("{}{unit} ({})", self.claim.printed, self.column.id)
    }
}

/// Two publications on the same weights and photos prepared alike must round to each other.
pub(super) fn second_figures(zoo: &Zoo) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ties: Vec<Tie> = Vec::new();
    for variant in &zoo.variants {
        let mut apart: Vec<Apart> = Vec::new();
        let figures: Vec<Figure> = variant
            .claims
            .iter()
            .filter_map(|claim| Figure::of(zoo, claim))
            .collect();
        for (index, a) in figures.iter().enumerate() {
            for b in &figures[index + 1..] {
                if !a.is_comparable_with(b) {
                    continue;
                }
                let (coarse, fine) = if a.step >= b.step { (a, b) } else { (b, a) };
                let off = fine.value - coarse.value;
                match (2 * off.abs()).cmp(&coarse.step) {
                    std::cmp::Ordering::Greater => apart.push(Apart::new(coarse, fine)),
                    std::cmp::Ordering::Equal => ties.push(Tie::new(variant, coarse, fine, off < 0)),
                    std::cmp::Ordering::Less => {}
                }
            }
        }
        findings.extend(disagreements(variant, apart));
    }
    findings.extend(uneven_ties(&ties));
    findings
}

/// Two figures that lie further apart than rounding explains.
struct Apart {
    /// The publications.
    sources: [String; 2],
    column: String,
    /// Both figures, the coarser first.
    printed: [String; 2],
    points: f64,
}

impl Apart {
    fn new(coarse: &Figure, fine: &Figure) -> Self {
        let mut sources = [coarse, fine].map(|figure| figure.column.source.clone());
        sources.sort();
        Self {
            sources,
            column: coarse.column.id.clone(),
            printed: [coarse.printed(), fine.printed()],
            points: (fine.value - coarse.value).abs() as f64 * RESOLUTION * 100.0,
        }
    }
}

/// One finding for each pair of publications, for who prints one figure of a row in two ways often prints several so.
fn disagreements(variant: &Variant, mut apart: Vec<Apart>) -> Vec<Finding> {
    apart.sort_by(|a, b| a.sources.cmp(&b.sources));
    let pairs = apart.chunk_by(|a, b| a.sources == b.sources);
    let finding = |columns: &str, message: String| Finding {
        severity: Severity::Error,
        rule: "second-figures",
        subject: format!("{} {columns}", variant.name),
        message,
    };
    pairs
        .map(|pair| match pair {
            [Apart { column, printed: [coarse, fine], points, .. }] => finding(
                column,
                format!(
                    "The figure is printed as {coarse}, but for the same weights also as {fine}: {points:.2} percentage points \
                     apart, more than rounding explains."
                ),
            ),
            several => {
                let columns: Vec<&str> = several.iter().map(|apart| apart.column.as_str()).collect();
                let printed = several.iter().map(|apart| apart.printed.join(" and "));
                let most = several.iter().fold(0.0, |most: f64, apart| most.max(apart.points));
                finding(
                    &columns.join(", "),
                    format!(
                        "Of the same weights, {} figures are printed in two ways: {}. They are up to {most:.2} percentage points \
                         apart, more than rounding explains.",
                        several.len(),
                        printed.collect::<Vec<_>>().join("; ")
                    ),
                )
            }
        })
        .collect()
}

/// A figure that lies half-way between two of the coarser table.
struct Tie {
    variant: String,
    column: String,
    fine: String,
    coarse: String,
    up: bool,
}

impl Tie {
    fn new(variant: &Variant, coarse: &Figure, fine: &Figure, up: bool) -> Self {
        Self {
            variant: variant.name.clone(),
            column: coarse.column.id.clone(),
            fine: fine.claim.printed.clone(),
            coarse: coarse.claim.printed.clone(),
            up,
        }
    }
}

/// Half-way figures of one column that were rounded one up, one down.
fn uneven_ties(ties: &[Tie]) -> Vec<Finding> {
    let down = ties.iter().filter(|tie| !tie.up);
    down.filter_map(|down| {
        let up = ties.iter().find(|tie| tie.up && tie.column == down.column)?;
        Some(Finding {
            severity: Severity::Note,
            rule: "second-figures",
            subject: format!("{} {}", down.variant, down.column),
            message: format!(
                "{} is printed as {}, cut off, while {}'s {} is printed as {}, rounded up: the column does not round one way.",
                down.fine, down.coarse, up.variant, up.fine, up.coarse
            ),
        })
    })
    .collect()
}
