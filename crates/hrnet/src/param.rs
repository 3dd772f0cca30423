/// The role of a parameter. A seeded source fills it, and a checkpoint lays it out, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// `[out, in, k, k]`.
    ConvWeight,
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
}

/// One named tensor of a network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    /// The name in an original HRNet (and timm) checkpoint.
    pub name: String,
    /// Its role.
    pub kind: ParamKind,
    /// Its extents, outermost first.
    pub shape: Vec<usize>,
}

impl Param {
    /// Returns the number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}
