//! Removal of files from the cache, and the manifests that still need them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use harness::counted;
use registry::{Digest, EMBEDDED, Holding, Lock, Names, Removed, User, UserState, Zoo};

use crate::Failure;
use crate::context::Context;
use crate::output::size;

/// Remove unfinished downloads that have not been touched for a week
#[derive(Debug, Args)]
pub(super) struct Gc {
    /// Keep files touched in the last HOURS hours; 0 keeps none
    #[arg(long, value_name = "HOURS", default_value_t = 168)]
    keep_hours: u64,
    /// Print what would be removed, without removing it
    #[arg(long)]
    dry_run: bool,
}

/// Remove weights that no manifest names any more
///
/// Keeps every weight file that a manifest or its zoo.lock names: the manifest in use, the built-in one, and all others that
/// have used this cache. Prepared copies stay as long as their weight file is named, also copies of a manifest's own files
/// (`path`), pinned or not. A manifest that no longer exists keeps what it named last, unless --gone is given.
#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Also forget manifests that no longer exist, and remove what only they named
    #[arg(long)]
    gone: bool,
    /// Print what would be removed, and which manifest names each kept file, without removing anything
    #[arg(long)]
    dry_run: bool,
}

/// Remove everything that can be downloaded or made again
///
/// Without KIND: weights, prepared copies, unfinished downloads and notes. Pins (zoo.lock) stay, so later downloads must have
/// the same checksums.
#[derive(Debug, Args)]
pub(super) struct Clear {
    /// Kinds of files to remove
    #[arg(value_enum, value_name = "KIND")]
    kinds: Vec<KindArg>,
    /// Remove the files; without it, only print what would be removed
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    /// Weight files and their prepared copies
    Weights,
    /// Only prepared copies of weights
    Prepared,
    /// Unfinished downloads
    Partial,
    /// Notes about checked files
    Notes,
    /// Other engines, as `zoo peers install` installs them
    Peers,
    /// Times measured by `zoo tune`
    Tuning,
    /// All of the above
    All,
}

impl KindArg {
    fn holdings(self) -> &'static [Holding] {
        match self {
            Self::Weights => &[Holding::Weights, Holding::Prepared],
            Self::Prepared => &[Holding::Prepared],
            Self::Partial => &[Holding::Partial],
            Self::Notes => &[Holding::Notes],
            Self::Peers => &[Holding::Peers],
            Self::Tuning => &[Holding::Tuning],
            Self::All => &[
                Holding::Weights,
                Holding::Prepared,
                Holding::Partial,
                Holding::Notes,
                Holding::Peers,
                Holding::Tuning,
            ],
        }
    }
}

impl Gc {
    pub(super) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let age = Duration::from_secs(self.keep_hours.saturating_mul(3600));
        tell(cx, cx.cache().collect_garbage(age, self.dry_run), self.dry_run)
    }
}

impl Prune {
    pub(super) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let mut keepers = Keepers::find(cx)?;
        if self.gone {
            let gone = keepers.take_gone();
            if !self.dry_run {
                for user in &gone {
                    cx.cache()
                        .forget(user)
                        .map_err(|error| Failure::file(cx.cache().root(), &error))?;
                }
            }
        }
        let removed = cx.cache().prune(&keepers.digests(), self.dry_run);
        tell(cx, removed, self.dry_run)?;
        self.kept(cx, &keepers)
    }

    /// Prints the manifests that name each kept file.
    fn kept(&self, cx: &Context, keepers: &Keepers) -> Result<(), Failure> {
        let held = cx.cache().contents();
        let held = held.map_err(|error| Failure::file(cx.cache().root(), &error))?;
        for file in held {
            let Some(digest) = file.digest() else { continue };
            let (names, manifests) = (keepers.names(digest), keepers.manifests(digest));
            if manifests.is_empty() {
                continue;
            }
            let names: Vec<String> = names.into_iter().collect();
            let what = if names.is_empty() {
                "a pin".into()
            } else {
                names.join(", ")
            };
            let line = format!("keep {}: {what} of {}", file.path.display(), manifests.join(", "));
            match self.dry_run {
                true => cx.out.data(&line)?,
                false => cx.out.detail(&line),
            }
        }
        for keeper in &keepers.0 {
            if let Some(doubt) = &keeper.doubt {
                cx.out.note(&format!("{} {doubt}", keeper.manifest));
            }
        }
        Ok(())
    }
}

impl Clear {
    pub(super) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let kinds: BTreeSet<Holding> = match self.kinds.as_slice() {
            [] => BTreeSet::from(Holding::DOWNLOADS),
            kinds => kinds.iter().flat_map(|kind| kind.holdings()).copied().collect(),
        };
        tell(cx, cx.cache().clear(&kinds, !self.yes), !self.yes)?;
        if !self.yes {
            cx.out.note("nothing was removed; --yes removes these files");
        }
        Ok(())
    }
}

/// The manifests whose files are kept.
pub(super) struct Keepers(Vec<Keeper>);

struct Keeper {
    /// Path of the manifest, or a phrase for the built-in one.
    manifest: String,
    names: Names,
    /// The reason why its files are kept although it cannot be read.
    doubt: Option<String>,
    user: Option<User>,
}

impl Keepers {
    /// Finds the manifest in use, the built-in one, and those that the cache remembers.
    pub(super) fn find(cx: &Context) -> Result<Self, Failure> {
        let mut keepers = vec![Keeper {
            manifest: cx.manifest_origin(),
            names: cx.cache().named_by(cx.zoo()?, &cx.lock()?),
            doubt: None,
            user: None,
        }];
        if cx.manifest().is_some() {
            let zoo = Zoo::parse(EMBEDDED, Path::new("the built-in zoo.toml"))?;
            let lock = Lock::open(&cx.cache().root().join(Lock::NAME))?;
            keepers.push(Keeper {
                manifest: "built in".into(),
                names: cx.cache().named_by(&zoo, &lock),
                doubt: None,
                user: None,
            });
        }
        let here = cx.manifest().and_then(|path| std::path::absolute(path).ok());
        let users = cx.cache().users();
        let users = users.map_err(|error| Failure::file(cx.cache().root(), &error))?;
        for user in users
            .into_iter()
            .filter(|user| Some(&user.manifest) != here.as_ref())
        {
            let doubt = match &user.state {
                UserState::There => None,
                UserState::Gone => Some(
                    "no longer exists: what it named is kept; `zoo cache prune --gone` removes that"
                        .to_owned(),
                ),
                UserState::Unreadable(reason) => {
                    Some(format!("cannot be read ({reason}): what it named is kept"))
                }
            };
            keepers.push(Keeper {
                manifest: user.manifest.display().to_string(),
                names: user.names.clone(),
                doubt,
                user: Some(user),
            });
        }
        Ok(Self(keepers))
    }

    /// Removes and returns the manifests that no longer exist.
    fn take_gone(&mut self) -> Vec<User> {
        let is_gone = |keeper: &mut Keeper| {
            keeper
                .user
                .as_ref()
                .is_some_and(|user| user.state == UserState::Gone)
        };
        self.0
            .extract_if(.., is_gone)
            .filter_map(|keeper| keeper.user)
            .collect()
    }

    fn digests(&self) -> BTreeSet<Digest> {
        self.0
            .iter()
            .flat_map(|keeper| keeper.names.keys().copied())
            .collect()
    }

    /// Returns the weight sources that have this content.
    pub(super) fn names(&self, digest: Digest) -> BTreeSet<String> {
        let names = self.0.iter().filter_map(|keeper| keeper.names.get(&digest));
        names.flatten().cloned().collect()
    }

    /// Returns the manifests that name this content.
    pub(super) fn manifests(&self, digest: Digest) -> Vec<String> {
        let naming = self.0.iter().filter(|keeper| keeper.names.contains_key(&digest));
        naming.map(|keeper| keeper.manifest.clone()).collect()
    }
}

/// Prints the files that were, or would be, removed.
fn tell(cx: &Context, removed: io::Result<Vec<Removed>>, dry_run: bool) -> Result<(), Failure> {
    let removed = removed.map_err(|error| Failure::file(cx.cache().root(), &error))?;
    for one in &removed {
        cx.out
            .data(&format!("{} ({})", one.path.display(), size(one.bytes)))?;
    }
    let bytes: u64 = removed.iter().map(|one| one.bytes).sum();
    let verb = if dry_run { "would be removed" } else { "removed" };
    let files = counted(removed.len(), "file");
    cx.out.note(&format!("{files} {verb}, {}", size(bytes)));
    Ok(())
}
