//! The global options resolved: the manifest, the cache, the terminal.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ::files::LARGEST_TEXT;
use anstream::ColorChoice;
use hrnet_zoo::Door;
use registry::{Artifact, Cache, Extends, Fetcher, Lock, Named, Variant, Zoo};
use runtime::Costs;

use crate::bench::provenance;
use crate::cli::Global;
use crate::output::Output;
use crate::{Exit, Failure};

/// The name of the manifest in the current folder.
const MANIFEST: &str = "zoo.toml";

/// One run of the program.
pub(crate) struct Context {
    pub(crate) out: Output,
    pub(crate) offline: bool,
    /// The manifest's file; `None` for the built-in manifest.
    manifest: Option<PathBuf>,
    /// True if the manifest was found in the current folder, not named by an option.
    is_found: bool,
    /// Folder beside the manifest's own in which it may name weight files.
    weights_dir: Option<PathBuf>,
    cache: Cache,
    zoo: OnceCell<Zoo>,
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        let color = match global.color {
            clap::ColorChoice::Auto => ColorChoice::Auto,
            clap::ColorChoice::Always => ColorChoice::Always,
            clap::ColorChoice::Never => ColorChoice::Never,
        };
        let here = || Path::new(MANIFEST).is_file().then(|| PathBuf::from(MANIFEST));
        let cache = global.cache_dir.clone().or_else(Cache::platform_root);
        Self {
            out: Output::new(global.quiet, global.verbose > 0, color),
            offline: global.offline,
            manifest: global.manifest.clone().or_else(here),
            is_found: global.manifest.is_none(),
            weights_dir: global.weights_dir.clone(),
            cache: Cache::new(cache.unwrap_or_else(|| PathBuf::from(".zoo-cache"))),
            zoo: OnceCell::new(),
        }
    }

    /// Returns a silent context with the built-in manifest, for benchmarks.
    pub(crate) fn embedded() -> Self {
        Self {
            out: Output::new(true, false, ColorChoice::Never),
            offline: true,
            manifest: None,
            is_found: false,
            weights_dir: None,
            cache: Cache::new(Cache::platform_root().unwrap_or_else(|| PathBuf::from(".zoo-cache"))),
            zoo: OnceCell::new(),
        }
    }

    /// Returns the manifest, which is read at the first call.
    pub(crate) fn zoo(&self) -> Result<&Zoo, Failure> {
        if let Some(zoo) = self.zoo.get() {
            return Ok(zoo);
        }
        let zoo = match &self.manifest {
            None => Zoo::builtin(),
            Some(path) => {
                let text = ::files::read_text(path, LARGEST_TEXT)
                    .map_err(|error| Failure::new(Exit::Manifest, format!("{}: {error}", path.display())))?;
                let zoo = self.parse(&text, path)?;
                self.tell_replaced(&zoo);
                zoo
            }
        };
        Ok(self.zoo.get_or_init(|| zoo))
    }

    /// Returns the folder beside the manifest's own in which it may name files.
    pub(crate) fn weights_dir(&self) -> Option<&Path> {
        self.weights_dir.as_deref()
    }

    /// Parses a manifest whose paths may lead where this run allows.
    pub(crate) fn parse(&self, text: &str, path: &Path) -> Result<Zoo, Failure> {
        Ok(Zoo::parse_with(text, path, self.weights_dir.as_slice())?)
    }

    /// Prints a note if a manifest that no option named replaces the built-in one.
    fn tell_replaced(&self, zoo: &Zoo) {
        if !self.is_found || zoo.extends != Extends::Unsaid {
            return;
        }
        let builtin = Zoo::builtin();
        let gone = |variant: &&Variant| zoo.variant(&variant.name).is_none();
        let gone = builtin.variants.iter().filter(gone).count();
        if gone > 0 {
            self.out.note(&format!(
                "{MANIFEST} in this folder replaces the built-in variants: `extends = \"builtin\"` at its top keeps them, \
                 `extends = \"nothing\"` ends this note"
            ));
        }
    }

    /// Returns the path of the times of `zoo tune`.
    pub(crate) fn costs_path(&self) -> Result<PathBuf, Failure> {
        // Times of kernels on tiles lie among those of the vector unit beside.
        let name = format!("{}.tsv", runtime::unit()?.vectors().name());
        Ok(self.cache.root().join("tune").join(name))
    }

    /// Returns the times that `zoo tune` measured on this machine; `None` if there are none, or only another machine's.
    pub(crate) fn costs(&self) -> Result<Option<Costs>, Failure> {
        let path = self.costs_path()?;
        let text = match ::files::read_text(&path, LARGEST_TEXT) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file(&path, &error)),
        };
        let (machine, times) = text.split_once('\n').unwrap_or((&text, ""));
        if machine != provenance().machine.cpu {
            self.out.note(&format!(
                "{} is of {machine}: not used; `zoo tune --again` times this machine",
                path.display()
            ));
            return Ok(None);
        }
        let costs = Costs::parse(times).map_err(|error| {
            let failure = Failure::new(Exit::Other, format!("{}: {error}", path.display()));
            failure.help("`zoo tune --again` writes it again")
        })?;
        Ok(Some(costs))
    }

    /// Returns the text form of times: the machine's name, then the times.
    pub(crate) fn costs_text(costs: &Costs) -> String {
        format!("{}\n{}", provenance().machine.cpu, costs.to_text())
    }

    /// Makes the engine choose by the times of `zoo tune`; without valid times, by estimates.
    pub(crate) fn use_costs(&self) {
        match self.costs() {
            Ok(costs) => runtime::use_costs(costs.unwrap_or_default()),
            Err(failure) => self.out.warn(&failure.message),
        }
    }

    /// Returns the global options that give another process of this program the same view, and let it print only warnings and
    /// errors.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--quiet".into(), "--cache-dir".into()];
        arguments.push(self.cache.root().into());
        if let Some(manifest) = &self.manifest {
            arguments.extend(["--manifest".into(), manifest.into()]);
        }
        if let Some(folder) = &self.weights_dir {
            arguments.extend(["--weights-dir".into(), folder.into()]);
        }
        if self.offline {
            arguments.push("--offline".into());
        }
        arguments
    }

    /// Returns the manifest's file; `None` for the built-in manifest.
    pub(crate) fn manifest(&self) -> Option<&Path> {
        self.manifest.as_deref()
    }

    /// Notes in the cache that the manifest uses files of it, so that no `zoo cache prune` removes them. If the cache is not
    /// writable, nothing is noted.
    pub(crate) fn remember(&self) {
        let Some(manifest) = &self.manifest else { return };
        let remember = || -> Result<(), Failure> {
            let noted = self.cache.remember(manifest, self.zoo()?, &self.lock()?, None);
            noted.map_err(|error| Failure::file(self.cache.root(), &error))
        };
        if let Err(failure) = remember() {
            self.out
                .detail(&format!("{}: not noted in the cache", failure.message));
        }
    }

    /// Returns the manifest's file, or the path where one would be looked for first.
    pub(crate) fn manifest_file(&self) -> PathBuf {
        self.manifest.clone().unwrap_or_else(|| PathBuf::from(MANIFEST))
    }

    /// Returns the origin of the manifest for messages.
    pub(crate) fn manifest_origin(&self) -> String {
        self.manifest
            .as_ref()
            .map_or_else(|| "built in".into(), |path| path.display().to_string())
    }

    /// Returns the variant that a name stands for, with its weights if the name chooses them.
    pub(crate) fn named(&self, name: &str) -> Result<Named<'_>, Failure> {
        Ok(self.zoo()?.named(name)?)
    }

    /// As [`Context::named`], for commands that need classes.
    ///
    /// # Errors
    /// As [`Context::named`], and if the variant answers with keypoints.
    pub(crate) fn classifier(&self, name: &str) -> Result<Named<'_>, Failure> {
        let named = self.named(name)?;
        match named.variant.is_classifier() {
            true => Ok(named),
            false => Err(no_classifier(named.variant)),
        }
    }

    /// As [`Context::named`], for commands that need keypoints.
    ///
    /// # Errors
    /// As [`Context::named`], and if the variant classifies photos.
    pub(crate) fn pose(&self, name: &str) -> Result<Named<'_>, Failure> {
        let named = self.named(name)?;
        match named.variant.pose() {
            Some(_) => Ok(named),
            None => Err(hrnet_zoo::Error::NoPose {
                variant: named.variant.name.clone(),
            }
            .into()),
        }
    }

    /// Returns the variant that a name stands for.
    pub(crate) fn variant(&self, name: &str) -> Result<&Variant, Failure> {
        Ok(self.named(name)?.variant)
    }

    /// Returns the variant with exactly this name, as records write it.
    pub(crate) fn recorded(&self, name: &str) -> Result<&Variant, Failure> {
        Ok(self.zoo()?.recorded(name)?)
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Returns the path of a source's weights if they are in the cache. To compute with them, open them with [`door`](Self::door).
    pub(crate) fn cached(&self, artifact: &Artifact) -> Result<Option<PathBuf>, Failure> {
        Ok(self.cache.find(artifact, &self.lock()?))
    }

    pub(crate) fn fetcher(&self) -> Fetcher {
        let mut fetcher = Fetcher::new(self.cache.clone());
        fetcher.offline = self.offline;
        fetcher
    }

    /// Returns the lock in force, as it is on disk now.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        let extends = self.zoo()?.extends;
        Ok(Lock::in_force(&self.cache, self.manifest.as_deref(), extends)?)
    }

    /// The one door to cached weights, under the lock as it is now.
    pub(crate) fn door(&self) -> Result<Door<'_>, Failure> {
        let door = Door::new(&self.cache, self.lock()?);
        Ok(match &self.manifest {
            Some(manifest) => door.for_manifest(manifest, self.zoo()?),
            None => door,
        })
    }
}

/// Returns the failure of a command that needs classes.
pub(crate) fn no_classifier(variant: &Variant) -> Failure {
    hrnet_zoo::Error::NoClassifier {
        variant: variant.name.clone(),
    }
    .into()
}
