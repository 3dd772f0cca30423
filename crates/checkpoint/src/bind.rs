use std::borrow::Cow;
use std::collections::BTreeMap;

use hrnet::{Graph, Param, ParamKind, WeightError, WeightSource};

use crate::error::shown;
use crate::{CheckpointError, Dtype, Naming, Tensor, TensorFile};

/// How many names an error lists of each kind before it only counts.
const LISTED: usize = 5;

/// A file's weights under the canonical names, each with the graph's shape.
#[derive(Clone, Debug)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

impl WeightSource for Weights {
    fn load(&self, param: &Param) -> Result<Cow<'_, [f32]>, WeightError> {
        let shape = || param.shape.clone();
        match self.tensors.get(&param.name) {
            None => Err(WeightError::Missing {
                name: param.name.clone(),
                shape: shape(),
            }),
            Some(tensor) if tensor.shape != param.shape => Err(WeightError::Shape {
                name: param.name.clone(),
                expected: shape(),
                actual: tensor.shape.clone(),
            }),
            Some(tensor) => Ok(Cow::Borrowed(&tensor.values)),
        }
    }
}

impl TensorFile {
    /// The naming scheme, told by the names themselves.
    ///
    /// # Errors
    /// If they are those of no known scheme.
    pub fn naming(&self) -> Result<Naming, CheckpointError> {
        Naming::detect(&self.tensors).ok_or_else(|| {
            let found: Vec<String> = self
                .tensors
                .keys()
                .take(3)
                .map(|name| format!("`{}`", shown(name.as_bytes())))
                .collect();
            let expected = Naming::ALL.map(|naming| format!("`{}` ({})", naming.sign(), naming.name()));
            CheckpointError::Naming {
                path: self.path.clone(),
                found: if found.is_empty() {
                    "none at all".into()
                } else {
                    found.join(", ")
                },
                expected: expected.join(" or "),
            }
        })
    }

    /// The tensors under the canonical names.
    ///
    /// Bookkeeping is passed over, and biases of head convolutions, which Microsoft's networks have, are folded into
    /// the batch norm behind them.
    ///
    /// # Errors
    /// If the naming scheme is unknown, or a tensor is missing, surplus, of another shape or of integers.
    pub fn bind(mut self, graph: &Graph) -> Result<Weights, CheckpointError> {
        let naming = self.naming()?;
        let mut differences = Differences {
            found: self.tensors.len(),
            ..Differences::default()
        };
        let mut tensors = BTreeMap::new();
        for param in graph.params() {
            differences.expected += 1;
            let name = naming.name_of(&param.name);
            let transposed = param.kind == ParamKind::LinearWeight && naming.transposes_linear();
            let mut expected = param.shape.clone();
            if transposed {
                expected.reverse();
            }
            let Some(mut tensor) = self.tensors.remove(&name) else {
                differences.missing.push(format!("{name} {expected:?}"));
                continue;
            };
            if tensor.shape != expected {
                let shape = &tensor.shape;
                differences
                    .shapes
                    .push(format!("{name} is {shape:?}, expected {expected:?}"));
            } else if tensor.dtype == Dtype::I64 {
                differences.integers.push(name);
            } else if transposed {
                tensor = tensor.transposed();
            }
            tensors.insert(param.name, tensor);
        }
        for (name, tensor) in self.tensors {
            let mean = naming.folded_bias(&name).and_then(|mean| tensors.get_mut(&mean));
            match mean.filter(|mean| mean.shape == tensor.shape && tensor.dtype != Dtype::I64) {
                Some(mean) => mean
                    .values
                    .iter_mut()
                    .zip(&tensor.values)
                    .for_each(|(mean, bias)| *mean -= bias),
                None if naming.ignores(&name) => {}
                None => differences
                    .extra
                    .push(format!("{} {:?}", shown(name.as_bytes()), tensor.shape)),
            }
        }
        match differences.describe() {
            None => Ok(Weights { tensors }),
            Some(differences) => Err(CheckpointError::Mismatch {
                path: self.path,
                naming: naming.name(),
                differences,
            }),
        }
    }
}

/// How a file's tensors differ from a network's.
#[derive(Default)]
struct Differences {
    /// Tensors of the network.
    expected: usize,
    /// Tensors in the file.
    found: usize,
    missing: Vec<String>,
    shapes: Vec<String>,
    integers: Vec<String>,
    extra: Vec<String>,
}

impl Differences {
    fn describe(&self) -> Option<String> {
        let kinds = [
            ("missing", &self.missing),
            ("of another shape", &self.shapes),
            ("of integers", &self.integers),
            ("not expected", &self.extra),
        ];
        let parts: Vec<String> = kinds
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| {
                let listed = names[..names.len().min(LISTED)].join("; ");
                let more = if names.len() > LISTED { "; …" } else { "" };
                format!("{} {kind} ({listed}{more})", names.len())
            })
            .collect();
        let (expected, found) = (self.expected, self.found);
        (!parts.is_empty())
            .then(|| format!("{expected} tensors expected, {found} found: {}", parts.join(", ")))
    }
}
