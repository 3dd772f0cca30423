use serde::Serialize;

use crate::secrets::shown_text;
use crate::{Artifact, Digest, DigestPrefix, FetchError, Known, Lock, Pin, PinnedBy};

/// Who vouches for the whole digest of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Voucher {
    /// `zoo.toml` states it.
    Manifest,
    /// The publisher's server stated it before the first download; `zoo.lock` pins it.
    Publisher,
    /// Nobody stated it: `zoo.lock` pins what the first download held, which was trusted.
    FirstDownload,
    /// Nobody yet: the file was not downloaded.
    Nobody,
}

impl Voucher {
    /// The voucher for a weight source under this lock.
    pub fn of(artifact: &Artifact, lock: &Lock) -> Self {
        Self::new(artifact, lock.pinned_by(&artifact.url))
    }

    pub(crate) fn new(artifact: &Artifact, pinned_by: Option<PinnedBy>) -> Self {
        match (&artifact.known, pinned_by) {
            (Known::Full(_), _) => Self::Manifest,
            (_, Some(PinnedBy::Publisher)) => Self::Publisher,
            (_, Some(PinnedBy::FirstDownload)) => Self::FirstDownload,
            (_, None) => Self::Nobody,
        }
    }
}

/// The size and digest that a file must have, from the manifest and the lock together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The exact size.
    pub(crate) bytes: Option<u64>,
    /// The whole digest.
    pub(crate) sha256: Option<Digest>,
    /// The first digits of the digest.
    pub(crate) prefix: Option<DigestPrefix>,
}

impl Expected {
    /// The expectation of the two for this weight source.
    ///
    /// # Errors
    /// If they contradict each other: no bytes could be right.
    pub(crate) fn of(artifact: &Artifact, pin: Option<Pin>) -> Result<Self, FetchError> {
        if let Some(pin) = pin {
            check(
                &format!("the pin of {}", shown_text(&artifact.url)),
                artifact,
                None,
                pin,
            )?;
        }
        let declared = match &artifact.known {
            Known::Full(digest) => Some(*digest),
            Known::Prefix(_) | Known::Nothing => None,
        };
        Ok(Self {
            bytes: pin.map(|pin| pin.bytes).or(artifact.bytes),
            sha256: pin.map(|pin| pin.sha256).or(declared),
            prefix: match &artifact.known {
                Known::Prefix(prefix) => Some(prefix.clone()),
                Known::Full(_) | Known::Nothing => None,
            },
        })
    }

    /// Returns whether a digest, or the beginning of one, will tell the right bytes from others of the same number.
    pub(crate) fn is_judged(&self) -> bool {
        self.sha256.is_some() || self.prefix.is_some()
    }

    /// Returns whether wrong bytes will be noticed whatever the server says of them.
    pub(crate) fn vouches(&self) -> bool {
        self.bytes.is_some() || self.is_judged()
    }
}

/// Returns whether a full digest of the file is known.
pub(crate) fn is_pinned(artifact: &Artifact, pin: Option<Pin>) -> bool {
    pin.is_some() || matches!(artifact.known, Known::Full(_))
}

/// Refuses bytes whose size or digest differs from the manifest's or the lock's.
pub(crate) fn check(
    subject: &str,
    artifact: &Artifact,
    pin: Option<Pin>,
    found: Pin,
) -> Result<(), FetchError> {
    let mismatch = |said_by, expected: String, actual: String| {
        Err(FetchError::Mismatch {
            subject: subject.to_owned(),
            said_by,
            expected,
            actual,
        })
    };
    let sha256 = |digest: Digest| format!("sha256 {digest}");
    for (said_by, bytes) in [
        ("zoo.toml", artifact.bytes),
        ("zoo.lock", pin.map(|pin| pin.bytes)),
    ] {
        if let Some(bytes) = bytes.filter(|bytes| *bytes != found.bytes) {
            return mismatch(
                said_by,
                format!("{bytes} bytes"),
                format!("{} bytes", found.bytes),
            );
        }
    }
    match &artifact.known {
        Known::Full(digest) if *digest != found.sha256 => {
            return mismatch("zoo.toml", sha256(*digest), sha256(found.sha256));
        }
        Known::Prefix(prefix) if !found.sha256.starts_with(prefix) => {
            return mismatch("zoo.toml", format!("sha256 {prefix}…"), sha256(found.sha256));
        }
        Known::Full(_) | Known::Prefix(_) | Known::Nothing => {}
    }
    match pin.filter(|pin| pin.sha256 != found.sha256) {
        Some(pin) => mismatch("zoo.lock", sha256(pin.sha256), sha256(found.sha256)),
        None => Ok(()),
    }
}
