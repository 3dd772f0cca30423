use std::str::FromStr;

use registry::Location;

use crate::Failure;
use crate::model::WeightsArg;
use crate::scratch::Scratch;
use crate::weight_file::WeightFile;

/// The largest weight file that is downloaded; W64's have half a gigabyte.
const LARGEST: u64 = 1 << 34;

/// Weights on this machine, or an object to download.
#[derive(Clone, Debug)]
pub(crate) enum WeightsAt {
    Here(WeightsArg),
    Object(Location),
}

/// Weights on this machine, valid while this value lives.
pub(crate) struct Brought {
    pub(crate) weights: WeightsArg,
    _folder: Option<Scratch>,
}

impl FromStr for WeightsAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            let location = Location::parse(text.into()).map_err(|error| error.to_string())?;
            return Ok(Self::Object(location));
        }
        Ok(Self::Here(text.parse()?))
    }
}

impl WeightsAt {
    /// Returns the object, if it is one.
    pub(crate) fn object(&self) -> Option<&Location> {
        match self {
            Self::Here(_) => None,
            Self::Object(object) => Some(object),
        }
    }

    pub(crate) fn bring(&self) -> Result<Brought, Failure> {
        let object = match self {
            Self::Here(weights) => {
                return Ok(Brought {
                    weights: weights.clone(),
                    _folder: None,
                });
            }
            Self::Object(object) => object,
        };
        let folder = Scratch::new()?;
        let file = folder.path().join(object.name());
        #[expect(clippy::disallowed_methods, reason = "in a folder of our own that goes away")]
        std::fs::write(&file, object.read(LARGEST)?).map_err(|error| Failure::file(&file, &error))?;
        Ok(Brought {
            weights: WeightsArg::File(WeightFile {
                path: file,
                set: None,
            }),
            _folder: Some(folder),
        })
    }
}
