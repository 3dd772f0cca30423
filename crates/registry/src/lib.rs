//! The registry of variants and their weights: [`Zoo`] is the checked form of `zoo.toml`, [`Lock`] of `zoo.lock`. A [`Fetcher`]
//! downloads the weights that they declare into a [`Cache`], and [`lint`](lint::lint) compares published figures with the
//! networks themselves.
//!
//! One invariant rules the cache: a published path either does not exist or holds the bytes that were verified.
//!
//! ```
//! use registry::Zoo;
//!
//! # fn main() -> Result<(), registry::UnknownVariant> {
//! let zoo = Zoo::builtin();
//! let named = zoo.named("hrnet_w18.ms_in1k")?;
//! assert_eq!(named.variant.name, "HRNet_W18_C");
//! assert_eq!(named.artifact.map(|weights| weights.id.as_str()), Some("ms"));
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod added;
mod blocks;
#[cfg(feature = "object-store")]
mod bucket;
mod cache;
mod check;
mod checked;
mod claimed;
mod cleanup;
mod contents;
mod copies;
mod digest;
mod download;
mod error;
mod expect;
mod fetch;
mod find;
mod hashing;
mod hosts;
mod http;
mod hub;
mod links;
pub mod lint;
mod local;
mod location;
mod lock;
mod mirror;
mod names;
#[cfg(feature = "object-store")]
mod objects;
mod owner;
mod partial;
mod ranges;
mod reading;
mod secrets;
mod server;
mod session;
mod settings;
mod shelve;
mod source;
mod space;
mod stamp;
mod transfer;
mod types;
mod users;
mod verify;
mod watch;
mod whole;
mod wire;

pub use added::{NEW_MANIFEST, NewVariant};
pub use cache::Cache;
pub use checked::{Check, Checked};
pub use claimed::ClaimedAccuracy;
pub use cleanup::Removed;
pub use contents::{Held, Holding};
pub use copies::{COPY_NOTE, NewCopy};
pub use digest::{Digest, DigestPrefix, ParseDigestError};
pub use error::{FetchError, ManifestError, UnknownVariant};
pub use expect::Voucher;
pub use fetch::{Fetched, Fetcher, Plan};
pub use find::Named;
pub use http::{Token, Tokens};
pub use hub::{Hub, HubFile, ParseHubError};
pub use links::{Link, probe};
pub use local::LocalFile;
pub use location::{Fault, Kind, Listed, Location, LocationError, ParseLocationError};
pub use lock::{Lock, Pin, PinnedBy};
pub use mirror::{Mirror, ParseMirrorError};
pub use names::nearest;
pub use reading::{Reader, Reading};
pub use secrets::without_secrets;
pub use settings::{Limits, Sizes};
pub use shelve::{Mirrored, mirror_to};
pub use types::{
    Artifact, Claim, Column, Decoder, Extends, Format, Frame, Interpolation, Keypoints, Known, Metric,
    Naming, Pose, Preprocess, Profile, Resampler, Source, Task, TaskKind, Unit, Variant, WeightsRef, Zoo,
};
pub use users::{Names, User, UserState};
pub use verify::Verified;
pub use watch::{Event, Silent, Watch};

/// The manifest that is built into the program.
pub const EMBEDDED: &str = include_str!("../../../zoo.toml");
