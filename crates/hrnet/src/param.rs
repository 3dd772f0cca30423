use crate::Place;

/// The role of a parameter. A seeded source fills it, and a checkpoint lays it out, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// `[out, in, k, k]`.
    ConvWeight,
    /// `[out]`, of a convolution that has one.
    ConvBias,
    /// Batch norm's factor, `[c]`.
    BnWeight,
    /// Batch norm's offset, `[c]`.
    BnBias,
    /// Batch norm's running mean, `[c]`.
    BnMean,
    /// Batch norm's running variance, `[c]`.
    BnVariance,
    /// `[out, in]`.
    LinearWeight,
    /// `[out]`.
    LinearBias,
}

impl ParamKind {
    /// Returns true if training changes it by gradient: running statistics are state, not parameters, in PyTorch's count.
    pub const fn trainable(self) -> bool {
        !matches!(self, Self::BnMean | Self::BnVariance)
    }

    /// Returns the last part of its canonical name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConvWeight | Self::BnWeight | Self::LinearWeight => "weight",
            Self::ConvBias | Self::BnBias | Self::LinearBias => "bias",
            Self::BnMean => "running_mean",
            Self::BnVariance => "running_var",
        }
    }
}

/// One tensor of a network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    /// The node that reads it.
    pub place: Place,
    /// Its role.
    pub kind: ParamKind,
    /// Its extents, outermost first.
    pub shape: Vec<usize>,
}

impl Param {
    /// Returns its canonical name.
    pub fn name(&self) -> String {
        self.place.param_name(self.kind)
    }

    /// Returns the number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}
