//! The registry: [`Zoo`] is the checked form of `zoo.toml`, [`Lock`] of `zoo.lock`; a [`Fetcher`] brings what they
//! declare into a [`Cache`], and [`lint`](lint::lint) holds the published figures against the networks themselves.
//!
//! One invariant rules the cache: a published path either does not exist or holds the bytes that were verified.

mod cache;
mod check;
mod digest;
mod download;
mod error;
mod fetch;
mod http;
pub mod lint;
mod lock;
mod names;
mod partial;
mod types;
mod verify;
mod wire;

pub use cache::Cache;
pub use digest::{Digest, DigestPrefix, ParseDigestError};
pub use error::{ManifestError, UnknownVariant};
pub use fetch::{FetchError, Fetched, Fetcher, NoProgress, Progress};
pub use lock::{Lock, Pin};
pub use names::nearest;
pub use types::{
    Artifact, Claim, Column, Format, Interpolation, Known, Metric, Naming, Preprocess, Source, Unit, Variant,
    WeightsRef, Zoo,
};
pub use verify::{Verified, verify};

/// The manifest that is built into the program.
pub const EMBEDDED: &str = include_str!("../../../zoo.toml");
