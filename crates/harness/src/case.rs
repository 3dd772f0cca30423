use std::fmt;
use std::str::FromStr;

use hrnet::{Precision, Size};
use serde::{Deserialize, Serialize};

/// The subject of one benchmark cell. Its id, its [`Display`](fmt::Display) form, is stable: history is joined by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Case {
    /// One pass of a network over a batch that is ready in memory.
    Network(NetworkCase),
    /// Work on images before the network.
    Preprocess(PreprocessCase),
}

/// A network pass: `HRNet_W18_C/f32/bs1/crop224/candle/t2`, or `…/256x192/…` where the input is not square.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetworkCase {
    /// The variant whose network runs; variants that share a network are measured once, under the first's name.
    pub variant: String,
    /// Number format.
    pub precision: Precision,
    /// Images in the batch.
    pub batch: usize,
    /// Size of the input, pixels.
    pub crop: Size,
    /// The backend's name.
    pub backend: String,
    /// Threads of the session.
    pub threads: usize,
}

/// Work on images, on one thread: `preprocess/decode`, `preprocess/resize256-crop224/f32/bs4`, or
/// `preprocess/person-256x192`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PreprocessCase {
    /// A JPEG file's bytes to pixels, one image.
    Decode,
    /// Decoded images to a batch: resize the short side, crop the centre, normalise.
    Batch {
        /// Short side after resizing, pixels.
        resize: usize,
        /// Side of the centre crop, pixels.
        crop: usize,
        /// Number format of the batch.
        precision: Precision,
        /// Images in the batch.
        batch: usize,
    },
    /// The box of one person in a decoded image to the input of a pose network, in f32: warp and normalise.
    Person {
        /// Size of the input, pixels.
        size: Size,
    },
}

/// The two parts of a run that are measured apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Photos to batches.
    Preprocess,
    /// Batches to logits or heatmaps.
    Network,
}

impl Case {
    /// Which part of a run the case measures.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Network(_) => Stage::Network,
            Self::Preprocess(_) => Stage::Preprocess,
        }
    }

    /// Images that one timed run handles.
    pub fn images(&self) -> usize {
        match self {
            Self::Network(case) => case.batch,
            Self::Preprocess(PreprocessCase::Decode | PreprocessCase::Person { .. }) => 1,
            Self::Preprocess(PreprocessCase::Batch { batch, .. }) => *batch,
        }
    }

    /// The network case, if this is one.
    pub fn network(&self) -> Option<&NetworkCase> {
        match self {
            Self::Network(case) => Some(case),
            Self::Preprocess(_) => None,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(NetworkCase {
                variant,
                precision,
                batch,
                crop,
                backend,
                threads,
            }) => {
                let square = if crop.side().is_some() { "crop" } else { "" };
                write!(
                    f,
                    "{variant}/{precision}/bs{batch}/{square}{crop}/{backend}/t{threads}"
                )
            }
            Self::Preprocess(PreprocessCase::Decode) => write!(f, "preprocess/decode"),
            Self::Preprocess(PreprocessCase::Person { size }) => write!(f, "preprocess/person-{size}"),
            Self::Preprocess(PreprocessCase::Batch {
                resize,
                crop,
                precision,
                batch,
            }) => {
                write!(f, "preprocess/resize{resize}-crop{crop}/{precision}/bs{batch}")
            }
        }
    }
}

/// A string that is no case id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no case id: expected VARIANT/PRECISION/bsN/cropN/BACKEND/tN, ROWSxCOLUMNS for cropN, preprocess/decode, \
     preprocess/resizeN-cropN/PRECISION/bsN or preprocess/person-ROWSxCOLUMNS"
)]
pub struct ParseCaseError(String);

impl FromStr for Case {
    type Err = ParseCaseError;

    fn from_str(id: &str) -> Result<Self, ParseCaseError> {
        parse(id).ok_or_else(|| ParseCaseError(id.to_owned()))
    }
}

/// `crop224` for a square, `256x192` for any other size: each size has one form.
fn size(part: &str) -> Option<Size> {
    match part.strip_prefix("crop") {
        Some(side) => side.parse().ok().filter(|side| *side > 0).map(Size::square),
        None => part.parse().ok().filter(|size: &Size| size.side().is_none()),
    }
}

fn parse(id: &str) -> Option<Case> {
    let number = |part: &str, prefix: &str| {
        part.strip_prefix(prefix)?
            .parse::<usize>()
            .ok()
            .filter(|n| *n > 0)
    };
    match id.split('/').collect::<Vec<_>>()[..] {
        ["preprocess", "decode"] => Some(Case::Preprocess(PreprocessCase::Decode)),
        ["preprocess", person] => {
            let size: Size = person.strip_prefix("person-")?.parse().ok()?;
            // Each size has one form.
            let case = Case::Preprocess(PreprocessCase::Person { size });
            (case.to_string() == id).then_some(case)
        }
        ["preprocess", size, precision, batch] => {
            let (resize, crop) = size.split_once('-')?;
            Some(Case::Preprocess(PreprocessCase::Batch {
                resize: number(resize, "resize")?,
                crop: number(crop, "crop")?,
                precision: Precision::named(precision)?,
                batch: number(batch, "bs")?,
            }))
        }
        [variant, precision, batch, crop, backend, threads] if !variant.is_empty() && !backend.is_empty() => {
            Some(Case::Network(NetworkCase {
                variant: variant.to_owned(),
                precision: Precision::named(precision)?,
                batch: number(batch, "bs")?,
                crop: size(crop)?,
                backend: backend.to_owned(),
                threads: number(threads, "t")?,
            }))
        }
        _ => None,
    }
}

impl TryFrom<String> for Case {
    type Error = ParseCaseError;

    fn try_from(id: String) -> Result<Self, ParseCaseError> {
        id.parse()
    }
}

impl From<Case> for String {
    fn from(case: Case) -> Self {
        case.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_parse_back() {
        for id in [
            "HRNet_W18_C/f32/bs1/crop224/candle/t2",
            "SE_HRNet_W64_C_ssld/bf16/bs8/crop384/cpu/t16",
            "HRNet_W18_C/i16/bs1/crop224/cpu/t1",
            "HRNet_W18_C/int8/bs1/crop224/cpu/t1",
            "pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t1",
            "preprocess/decode",
            "preprocess/resize320-crop288/f16/bs4",
            "preprocess/person-256x192",
            "preprocess/person-256",
        ] {
            assert_eq!(id.parse::<Case>().expect(id).to_string(), id);
        }
    }

    #[test]
    fn a_precision_has_one_name_in_ids_and_records() {
        for precision in Precision::ALL {
            let name = precision.name();
            assert_eq!(Precision::named(name), Some(precision));
            let json = serde_json::to_string(&precision).expect("a name");
            assert_eq!(json, format!("\"{name}\""));
        }
    }

    #[test]
    fn other_strings_are_refused() {
        for id in [
            "",
            "HRNet_W18_C",
            "HRNet_W18_C/f64/bs1/crop224/candle/t2",
            "HRNet_W18_C/fp32/bs1/crop224/candle/t2",
            "HRNet_W18_C/f32/bs0/crop224/candle/t2",
            "HRNet_W18_C/f32/1/crop224/candle/t2",
            "HRNet_W18_C/f32/bs1/crop256x192/candle/t2",
            "HRNet_W18_C/f32/bs1/224x224/candle/t2",
            "HRNet_W18_C/f32/bs1/256x0/candle/t2",
            "/f32/bs1/crop224/candle/t2",
            "preprocess/resize320/f16/bs4",
            "preprocess/person-256x256",
            "preprocess/person-0x192",
            "preprocess/encode",
        ] {
            let error = id.parse::<Case>().expect_err(id);
            assert!(error.to_string().contains("expected VARIANT"), "{error}");
        }
    }
}
