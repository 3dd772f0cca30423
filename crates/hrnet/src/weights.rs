use std::borrow::Cow;

use crate::Param;

/// A source of a network's parameters: a checkpoint, or a seed.
pub trait WeightSource: Sync {
    /// Returns the elements of one parameter, row-major in [`Param::shape`].
    ///
    /// # Errors
    /// If the source lacks the parameter or holds it in another shape.
    fn load(&self, param: &Param) -> Result<Cow<'_, [f32]>, WeightError>;
}

/// A parameter that a [`WeightSource`] cannot give.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    /// The source has no tensor of that name.
    #[error("weights lack the tensor `{name}` of shape {shape:?}")]
    Missing {
        /// The canonical name.
        name: String,
        /// The shape the network needs.
        shape: Vec<usize>,
    },
    /// The source has the tensor, in another shape.
    #[error("tensor `{name}` has shape {actual:?}; the network needs {expected:?}")]
    Shape {
        /// The canonical name.
        name: String,
        /// The shape the network needs.
        expected: Vec<usize>,
        /// The shape the source has.
        actual: Vec<usize>,
    },
    /// The tensor's values are not those that were stored.
    #[error("tensor `{name}` is damaged: {what}")]
    Damaged {
        /// The canonical name.
        name: String,
        /// The evidence: both checksums.
        what: String,
    },
}
