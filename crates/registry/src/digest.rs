use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::Digest as _;

use crate::hashing::hash;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// The first hex digits of a SHA-256 digest, as file names carry them: eight at least.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct DigestPrefix(String);

/// Text that is not a digest, or not the beginning of one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {expected}")]
pub struct ParseDigestError {
    text: String,
    expected: &'static str,
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        Ok(hash(&mut File::open(path)?)?.sha256)
    }

    /// Returns whether this digest begins with the prefix.
    pub fn starts_with(&self, prefix: &DigestPrefix) -> bool {
        self.to_string().starts_with(&prefix.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !is_hex(text) {
            return Err(ParseDigestError {
                text: text.to_owned(),
                expected: "SHA-256: expected 64 lower-case hex digits",
            });
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte =
                u8::from_str_radix(&text[2 * index..2 * index + 2], 16).expect("hex digits, checked above");
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for DigestPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DigestPrefix {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        if (8..64).contains(&text.len()) && is_hex(text) {
            Ok(Self(text.to_owned()))
        } else {
            let expected = "SHA-256 prefix: expected 8 to 63 lower-case hex digits";
            Err(ParseDigestError {
                text: text.to_owned(),
                expected,
            })
        }
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    #[test]
    fn digests_parse_back_and_know_their_prefixes() {
        let text = ZEROS.replacen("00", "8f", 1);
        let digest: Digest = text.parse().expect("a digest");
        assert_eq!(digest.to_string(), text);
        assert!(digest.starts_with(&"8f000000".parse().expect("a prefix")));
        assert!(!digest.starts_with(&"8f000001".parse().expect("a prefix")));
    }

    #[test]
    fn wrong_lengths_and_digits_are_refused() {
        for text in [
            "",
            "8f",
            &ZEROS[1..],
            &ZEROS.replace('0', "g"),
            &ZEROS.replace('0', "A"),
            "äöü",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        for text in ["1234567", "1234567g", ZEROS, "ABCDEF01"] {
            assert!(text.parse::<DigestPrefix>().is_err(), "{text}");
        }
    }
}
