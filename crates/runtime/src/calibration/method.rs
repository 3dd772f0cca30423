use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The method by which a range is chosen from the observed values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Method {
    /// All of them.
    MinMax,
    /// This percentage of them; the same share is cut off below and above.
    Percentile(f64),
    /// The range with the least mean squared error when values are rounded to 256 levels in it.
    Mse,
}

impl Method {
    /// The percentile if none is named.
    pub const PERCENT: f64 = 99.99;
}

/// A name that is that of no method.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no method: expected min-max, mse, percentile, or percentile:PERCENT with 50 < PERCENT < 100"
)]
pub struct UnknownMethod(String);

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinMax => f.pad("min-max"),
            Self::Percentile(percent) => f.pad(&format!("percentile:{percent}")),
            Self::Mse => f.pad("mse"),
        }
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        match text {
            "min-max" => Ok(Self::MinMax),
            "mse" => Ok(Self::Mse),
            "percentile" => Ok(Self::Percentile(Self::PERCENT)),
            other => other
                .strip_prefix("percentile:")
                .and_then(|percent| percent.parse().ok())
                .filter(|percent| *percent > 50.0 && *percent < 100.0)
                .map(Self::Percentile)
                .ok_or_else(|| UnknownMethod(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Method {
    type Error = UnknownMethod;

    fn try_from(text: String) -> Result<Self, UnknownMethod> {
        text.parse()
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_names_and_others_are_refused() {
        for text in ["min-max", "mse", "percentile:99.9"] {
            assert_eq!(text.parse::<Method>().expect(text).to_string(), text);
        }
        let usual = "percentile".parse::<Method>().expect("a method");
        assert_eq!(usual, Method::Percentile(99.99));
        for text in [
            "",
            "minmax",
            "percentile:",
            "percentile:100",
            "percentile:NaN",
            "percentile:50",
        ] {
            let why = text.parse::<Method>().expect_err(text).to_string();
            assert!(why.contains("min-max, mse"), "{why}");
        }
    }
}
