//! The time of one network by its steps: by the part they belong to and by the work they do.

use std::collections::HashMap;
use std::path::Path;

use harness::{LayerTimes, Multiplied, NetworkCase, StepSum, StepTimes};
use hrnet::{Node, Op, Part, Shape};

use crate::cells::Model;
use crate::sections::digits;
use crate::{ReportError, night};

/// The file of a folder that holds the times.
pub const LAYERS: &str = "layers.json";

/// The times of layers in a folder, if there are any.
///
/// # Errors
/// If the file is there and cannot be read, or holds something else.
pub fn layers(folder: &Path) -> Result<Option<LayerTimes>, ReportError> {
    let Some(text) = night::text(folder, LAYERS)? else {
        return Ok(None);
    };
    let parsed = serde_json::from_str(&text).map_err(|source| ReportError::Layers {
        path: folder.join(LAYERS),
        source,
    });
    parsed.map(Some)
}

/// The work of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Filter,
    FilterHalving,
    Mix,
    Other,
}

impl Work {
    pub(crate) const ALL: [Self; 4] = [Self::Filter, Self::FilterHalving, Self::Mix, Self::Other];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Filter => "3x3 convolutions",
            Self::FilterHalving => "3x3, stride 2",
            Self::Mix => "1x1 convolutions",
            Self::Other => "upsample, sum, pool, copy",
        }
    }

    fn of(node: Option<&Node>) -> Self {
        match node.map(|node| node.op) {
            Some(Op::Conv(conv)) => match (conv.kernel, conv.stride) {
                (1, _) => Self::Mix,
                (_, 1) => Self::Filter,
                _ => Self::FilterHalving,
            },
            _ => Self::Other,
        }
    }
}

/// A network's time, part by part.
pub(crate) struct Breakdown<'a> {
    pub(crate) times: &'a LayerTimes,
    pub(crate) case: &'a NetworkCase,
    /// The parts in the order in which they first run.
    pub(crate) parts: Vec<PartTime>,
    pub(crate) all: StepSum<()>,
}

/// The time of a part.
pub(crate) struct PartTime {
    pub(crate) name: String,
    pub(crate) sum: StepSum<Option<Part>>,
    /// The same by what is done.
    pub(crate) works: Vec<StepSum<Work>>,
}

/// The breakdown of the network whose layers were timed.
pub(crate) fn breakdown<'a>(model: &Model<'a>) -> Option<Breakdown<'a>> {
    let times = model.input.layers?;
    let case = times.case.network()?;
    let variant = model.input.zoo.variant(&case.variant)?;
    let graph = variant.spec.graph(Shape::images(1, case.crop)).ok()?;
    let nodes: HashMap<String, &Node> = graph.nodes().iter().map(|node| (node.name(), node)).collect();
    let node = |step: &StepTimes| nodes.get(&step.layer).copied();
    let part = |step: &StepTimes| node(step).and_then(|node| Part::of(&node.place));
    let both = times.by(|step| (part(step), Work::of(node(step))));
    let parts = times.by(part);
    let parts: Vec<PartTime> = parts
        .into_iter()
        .map(|sum| PartTime {
            name: sum.key.map_or("other".to_owned(), |part| part.to_string()),
            works: both
                .iter()
                .filter(|both| both.key.0 == sum.key)
                .map(|both| StepSum {
                    key: both.key.1,
                    steps: both.steps,
                    macs: both.macs,
                    peak_ns: both.peak_ns,
                    weight_bytes: both.weight_bytes,
                    time_ns: both.time_ns,
                })
                .collect(),
            sum,
        })
        .collect();
    let all = times.all();
    (!parts.is_empty() && all.time_ns > 0.0).then_some(Breakdown {
        times,
        case,
        parts,
        all,
    })
}

impl Breakdown<'_> {
    /// The network and its setting, in words.
    pub(crate) fn what(&self) -> String {
        let case = self.case;
        let threads = crate::charts::threads(case.threads);
        format!(
            "{}, {}, batch {}, {threads}, {}",
            case.variant, case.precision, case.batch, case.backend
        )
    }

    /// The peaks that rates are compared with, in words: of each format that a unit multiplies.
    pub(crate) fn peaks(&self) -> String {
        let told = |multiplied: Option<Multiplied>| digits(self.times.peak_of(multiplied) / 1e9);
        match &self.times.multiplied()[..] {
            [] => told(None),
            [only] => told(Some(*only)),
            several => {
                let each = several
                    .iter()
                    .map(|multiplied| format!("{} in {multiplied}", told(Some(*multiplied))));
                each.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// A sum's share of the whole time.
    pub(crate) fn share<K>(&self, sum: &StepSum<K>) -> f64 {
        sum.time_ns / self.all.time_ns
    }
}
