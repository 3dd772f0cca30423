use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use hrnet::{Graph, Param, ParamKind, WeightError, WeightSource};

use crate::differences::{Differences, listed};
use crate::error::shown;
use crate::heads;
use crate::naming::{self, Scheme};
use crate::tensor::transposed;
use crate::{AilmentKind, CheckpointError, Naming, Tensor, TensorFile, health};

/// A file's weights under the canonical names, each with the graph's shape.
///
/// Values stay in the file's map until they are loaded; if the map has them in the right form, they are borrowed from it.
#[derive(Clone, Debug)]
pub struct Weights {
    tensors: BTreeMap<String, Bound>,
}

/// A tensor of the file, and how it becomes a parameter.
#[derive(Clone, Debug)]
struct Bound {
    tensor: Tensor,
    /// True if rows and columns are to be exchanged.
    transposed: bool,
    /// The tensor to be subtracted.
    bias: Option<Tensor>,
    /// The CRC-32 that the tensor's bytes must have, if it is known.
    sum: Option<u32>,
}

impl Bound {
    fn shape(&self) -> Vec<usize> {
        let mut shape = self.tensor.shape.clone();
        if self.transposed {
            shape.reverse();
        }
        shape
    }

    /// Compares the bytes with the sum; the error has both.
    fn check(&self) -> Result<(), String> {
        let Some(expected) = self.sum else {
            return Ok(());
        };
        match crc32fast::hash(&self.tensor.bytes()) {
            found if found == expected => Ok(()),
            found => Err(format!(
                "the CRC-32 of its bytes is {found:08x}, expected {expected:08x}"
            )),
        }
    }

    fn values(&self) -> Cow<'_, [f32]> {
        let mut values = self.tensor.values();
        if let (true, [_, columns]) = (self.transposed, self.tensor.shape.as_slice()) {
            values = Cow::Owned(transposed(&values, *columns));
        }
        if let Some(bias) = &self.bias {
            let bias = bias.values();
            let pairs = values.to_mut().iter_mut().zip(bias.iter());
            pairs.for_each(|(value, bias)| *value -= bias);
        }
        values
    }
}

impl WeightSource for Weights {
    fn load(&self, param: &Param) -> Result<Cow<'_, [f32]>, WeightError> {
        let (name, shape) = (param.name(), || param.shape.clone());
        match self.tensors.get(&name) {
            None => Err(WeightError::Missing { name, shape: shape() }),
            Some(bound) if bound.shape() != param.shape => Err(WeightError::Shape {
                name,
                expected: shape(),
                actual: bound.shape(),
            }),
            Some(bound) => {
                bound
                    .check()
                    .map_err(|what| WeightError::Damaged { name, what })?;
                Ok(bound.values())
            }
        }
    }
}

impl Weights {
    /// Returns the same weights, whose tensors are compared with these CRC-32, by their names in a file of timm's names.
    pub(crate) fn summed<'a>(mut self, sums: impl Iterator<Item = (&'a String, u32)>) -> Self {
        let sums: BTreeMap<&String, u32> = sums.collect();
        for (name, bound) in &mut self.tensors {
            bound.sum = sums.get(name).copied();
        }
        self
    }

    /// Refuses values that are not finite, by name; `path` is the file that is to blame.
    pub(crate) fn check_finite(&self, path: &Path, graph: &Graph) -> Result<(), CheckpointError> {
        let ailments = health(graph, self).map_err(|source| CheckpointError::Source {
            path: path.to_owned(),
            source,
        })?;
        let infinite: Vec<String> = ailments
            .iter()
            .filter(|ailment| matches!(ailment.kind, AilmentKind::NonFinite { .. }))
            .map(ToString::to_string)
            .collect();
        if infinite.is_empty() {
            return Ok(());
        }
        Err(CheckpointError::Values {
            path: path.to_owned(),
            ailments: listed(&infinite),
        })
    }
}

impl TensorFile {
    /// Returns the naming scheme, by the names themselves.
    ///
    /// # Errors
    /// If the scheme is not known.
    pub fn naming(&self) -> Result<Naming, CheckpointError> {
        self.scheme().map(|scheme| scheme.naming)
    }

    /// The naming scheme, and what is before every name of it.
    pub(crate) fn scheme(&self) -> Result<Scheme, CheckpointError> {
        let names: Vec<&str> = self
            .tensors
            .keys()
            .chain(self.unread.keys())
            .map(String::as_str)
            .collect();
        let known = naming::schemes(&names).into_iter().next();
        known.ok_or_else(|| {
            let found: Vec<String> = self
                .tensors
                .keys()
                .take(3)
                .map(|name| format!("`{}`", shown(name.as_bytes())))
                .collect();
            let expected =
                Naming::OF_CLASSIFIERS.map(|naming| format!("`{}` ({})", naming.sign(), naming.name()));
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

    /// Returns the tensors under the canonical names. All are checked: finite and, if the file has checksums, as they were written.
    ///
    /// # Errors
    /// As [`TensorFile::bind`], and if values are damaged or not finite.
    pub fn weights(self, graph: &Graph) -> Result<Weights, CheckpointError> {
        let path = self.path.clone();
        let weights = self.clone().bind(graph)?;
        // Behind the binding: what is no weights of this network need not be read.
        self.check_taken()?;
        weights.check_finite(&path, graph)?;
        Ok(weights)
    }

    /// Returns the tensors under the canonical names.
    ///
    /// Bookkeeping is ignored, as are single numbers and integers that the network does not have, and tensors outside of the
    /// wrapper that the network is in. Biases of head convolutions, which Microsoft's networks have, are folded into the batch
    /// norm behind them.
    ///
    /// # Errors
    /// If the naming scheme is unknown, the head is another than the graph's, or a tensor is missing, unreadable, surplus, of another
    /// shape or of integers.
    pub fn bind(mut self, graph: &Graph) -> Result<Weights, CheckpointError> {
        let Scheme { naming, prefix } = self.scheme()?;
        let head = self.described().and_then(|described| described.head());
        let mut differences = Differences::default();
        let mut tensors = BTreeMap::new();
        // The means that biases of head convolutions are taken off, by the names of the biases.
        let mut means = BTreeMap::new();
        for param in graph.params() {
            differences.expected += 1;
            let name = format!("{prefix}{}", naming.name_of(&param.place, param.kind));
            let canonical = param.name();
            if let (ParamKind::BnMean, Some(bias)) = (param.kind, naming.head_bias(&param.place)) {
                means.insert(bias, canonical.clone());
            }
            let transposed = param.kind == ParamKind::LinearWeight && naming.transposes_linear();
            let mut expected = param.shape.clone();
            if transposed {
                expected.reverse();
            }
            let Some(tensor) = self.tensors.remove(&name) else {
                match self.unread.get(&name) {
                    Some(reason) => differences.unread.push(format!("{name}: {reason}")),
                    None => differences.missing.push(format!("{name} {expected:?}")),
                }
                continue;
            };
            differences.found += 1;
            if tensor.shape != expected {
                let shape = &tensor.shape;
                differences
                    .shapes
                    .push(format!("{name} is {shape:?}, expected {expected:?}"));
            } else if !tensor.dtype.is_float() {
                differences.integers.push(name);
            }
            let bound = Bound {
                tensor,
                transposed,
                bias: None,
                sum: None,
            };
            tensors.insert(canonical, bound);
        }
        for (name, tensor) in self.tensors {
            let Some(bare) = name.strip_prefix(&prefix) else {
                continue;
            };
            if tensor.is_scalar() || !tensor.dtype.is_float() || bare.ends_with(".num_batches_tracked") {
                continue;
            }
            differences.found += 1;
            let mean = means.get(bare).and_then(|mean| tensors.get_mut(mean));
            let fits = |mean: &&mut Bound| mean.tensor.shape == tensor.shape;
            match mean.filter(fits) {
                Some(mean) => mean.bias = Some(tensor),
                None => differences
                    .extra
                    .push(format!("{} {:?}", shown(name.as_bytes()), tensor.shape)),
            }
        }
        let described = differences.describe();
        if let (Some(_), Some(head)) = (&described, head)
            && !head.fits(graph)
        {
            return Err(CheckpointError::Head {
                path: self.path,
                found: head.words(),
                expected: heads::words(graph),
            });
        }
        match described {
            None => Ok(Weights { tensors }),
            Some(differences) => Err(CheckpointError::Mismatch {
                path: self.path,
                naming: naming.name(),
                differences,
            }),
        }
    }
}
