use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::{Artifact, Digest, FetchError, Known, Pin};

/// A file whose bytes were read and found to be what is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size and digest.
    pub pin: Pin,
    /// Whether a full digest vouches for it, the lock's or the manifest's.
    pub pinned: bool,
}

/// Reads the file and holds it against the manifest and the lock's pin.
///
/// # Errors
/// If the file cannot be read, or is not what either of them says.
pub fn verify(path: &Path, artifact: &Artifact, pin: Option<Pin>) -> Result<Verified, FetchError> {
    let found = hash(path)?;
    check(&path.display().to_string(), artifact, pin, found)?;
    Ok(Verified {
        path: path.to_owned(),
        pin: found,
        pinned: is_pinned(artifact, pin),
    })
}

/// Whether a full digest of the file is known.
pub(crate) fn is_pinned(artifact: &Artifact, pin: Option<Pin>) -> bool {
    pin.is_some() || matches!(artifact.known, Known::Full(_))
}

/// The exact size the file must have, where it is known.
pub(crate) fn expected_bytes(artifact: &Artifact, pin: Option<Pin>) -> Option<u64> {
    pin.map(|pin| pin.bytes).or(artifact.bytes)
}

/// Refuses bytes that are not what the manifest or the lock says.
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

/// Size and digest of a file.
fn hash(path: &Path) -> Result<Pin, FetchError> {
    let disk = |source| FetchError::Disk {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(disk)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(disk)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok(Pin {
        bytes,
        sha256: Digest(hasher.finalize().into()),
    })
}
