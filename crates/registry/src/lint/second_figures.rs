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
    top5: bool,
    value: i64,
    step: i64,
}

impl<'a> Figure<'a> {
    fn of(zoo: &'a Zoo, claim: &'a Claim) -> Option<Self> {
        let column = zoo.column(&claim.column)?;
        let (top5, error) = match column.metric {
            Metric::Top1 => (false, false),
            Metric::Top5 => (true, false),
            Metric::Top1Error => (false, true),
            Metric::Top5Error => (true, true),
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
            top5,
            value,
            step,
        })
    }

    /// Returns whether both are the same accuracy of the same weights, of the same images prepared alike.
    fn is_comparable_with(&self, other: &Self) -> bool {
        self.claim.weights == other.claim.weights
            && self.top5 == other.top5
            && self.protocol == other.protocol
            && self.column.data == other.column.data
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
                    std::cmp::Ordering::Greater => findings.push(disagreement(variant, coarse, fine)),
                    std::cmp::Ordering::Equal => ties.push(Tie::new(variant, coarse, fine, off < 0)),
                    std::cmp::Ordering::Less => {}
                }
            }
        }
    }
    findings.extend(uneven_ties(&ties));
    findings
}

fn disagreement(variant: &Variant, coarse: &Figure, fine: &Figure) -> Finding {
    let points = (fine.value - coarse.value).abs() as f64 * RESOLUTION * 100.0;
    Finding {
        severity: Severity::Error,
        rule: "second-figures",
        subject: format!("{} {}", variant.name, coarse.column.id),
        message: format!(
            "The figure is printed as {}, but for the same weights also as {}: {points:.2} percentage points apart, \
             more than rounding explains.",
            coarse.printed(),
            fine.printed()
        ),
    }
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
