use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number format in which a network runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// bfloat16: the upper half of a binary32.
    Bf16,
    /// Fixed point in 16 bits, with a scale from the range of each layer.
    I16,
    /// Fixed point in 8 bits, with a scale from the range of each layer.
    Int8,
}

impl Precision {
    /// Every precision, widest first.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::I16, Self::Int8];

    /// The precisions of floating point, in which batches can be made without the ranges of a network.
    pub const FLOATS: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// Returns the name used in case ids, records, output and the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I16 => "i16",
            Self::Int8 => "int8",
        }
    }

    /// Returns the precision of this [`name`](Self::name), as records and case ids write it; other spellings give `None`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.name() == name)
    }

    /// Returns other names that people use for it; all names are read in any case.
    const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::F32 => &["fp32", "float32", "float", "single"],
            Self::F16 => &["fp16", "float16", "half"],
            Self::Bf16 => &["bfloat16"],
            Self::I16 => &["int16"],
            Self::Int8 => &["i8"],
        }
    }

    /// Returns true if numbers are in fixed point, which needs the ranges of the layers' inputs.
    pub const fn is_fixed_point(self) -> bool {
        matches!(self, Self::I16 | Self::Int8)
    }

    /// Returns the bits of one element.
    pub const fn bits(self) -> u32 {
        match self {
            Self::F32 => 32,
            Self::F16 | Self::Bf16 | Self::I16 => 16,
            Self::Int8 => 8,
        }
    }

    /// Returns the largest difference from f32 reference logits, as a share of the largest absolute logit, that a correct
    /// network shows in this precision on seeded weights.
    ///
    /// Seeded networks magnify rounding: in 16 bits timm itself differs from its own f32 logits by up to 2.8e-2
    /// (float16) and 1.8e-1 (bfloat16), and rounding only the weights costs half of that. In 8 bits the magnified rounding
    /// comes near the logits themselves, whose largest is then no measure of it: the bound for int8 only separates a wrong
    /// network from a right one. Other tests compare with values that are rounded alike, and so check that the engine rounds
    /// exactly what it should; the cost of 8 bits is measured by the top-1 answers on photos.
    pub const fn tolerance(self) -> f32 {
        match self {
            Self::F32 => 3e-5,
            Self::F16 => 4e-2,
            Self::I16 => 4e-2,
            Self::Bf16 => 2e-1,
            Self::Int8 => 5e-1,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is that of no precision.
#[derive(Debug, thiserror::Error)]
#[error("unknown precision `{0}`: expected f32, f16, bf16, i16 or int8")]
pub struct UnknownPrecision(String);

/// Reads the name, or another one in use such as `fp32` or `half`, in any case.
impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        let same = |known: &str| known.eq_ignore_ascii_case(name);
        let meant =
            |precision: &Self| same(precision.name()) || precision.aliases().iter().any(|one| same(one));
        let found = Self::ALL.into_iter().find(meant);
        found.ok_or_else(|| UnknownPrecision(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_name_precisions_in_many_ways_and_records_in_one() {
        for (precision, names) in [
            (Precision::F32, &["f32", "fp32", "FP32", "float32", "single"][..]),
            (Precision::F16, &["f16", "fp16", "Half", "float16"]),
            (Precision::Bf16, &["bf16", "BF16", "bfloat16"]),
            (Precision::I16, &["i16", "int16"]),
            (Precision::Int8, &["int8", "INT8", "i8"]),
        ] {
            for name in names {
                assert_eq!(name.parse::<Precision>().ok(), Some(precision), "{name}");
                let kept = (*name == precision.name()).then_some(precision);
                assert_eq!(Precision::named(name), kept, "{name}");
            }
        }
        for name in ["", "f8", "fp", "32"] {
            assert!(name.parse::<Precision>().is_err(), "{name}");
        }
    }
}
