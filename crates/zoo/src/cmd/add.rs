use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use checkpoint::{Naming, TensorFile};
use clap::Args;
use hrnet::{Head, HrnetSpec};
use hrnet_zoo::Labels;
use registry::{NEW_MANIFEST, NewVariant, Variant, Zoo};

use crate::context::Context;
use crate::files::{quoted, write_whole};
use crate::fitting::mismatch;
use crate::{Exit, Failure};

/// The preprocessing profile for weights with PaddleClas's tensor names, and the one for all others.
const PADDLE: &str = "paddle-224";
const TIMM: &str = "timm-224-bilinear-0.875";

/// Add a variant of your own to zoo.toml
///
/// Creates zoo.toml if there is none; a new file keeps the built-in variants beside yours. A weight file decides the network, by
/// the shapes of its tensors; without one, --widths or --like does. Weights and labels stay where they are, which must be the
/// folder of zoo.toml or a folder below it. crates/registry/README.md lists every field of a variant, also those without an
/// option here.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    zoo add birds --weights birds.safetensors --labels birds.txt   a network of your own training\n  \
    zoo add w20 --widths 20,40,80,160                              a network without weights\n  \
    zoo add small5 --like hrnet_w18_small --classes 5              the layout of a variant, with 5 classes")]
pub(crate) struct Add {
    /// Name of the new variant
    name: String,
    /// Weight file: .pth, .pdparams or .safetensors. Without it the variant has no weights, and other commands need `--weights`
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Channels of the four branches, e.g. 20,40,80,160 [default: those of the weights]
    #[arg(long, value_name = "W,W,W,W", value_delimiter = ',')]
    widths: Vec<usize>,
    /// Variant with the same network, apart from its widths and classes [default: the layout of the weights, else HRNet-W18's]
    #[arg(long, value_name = "NAME")]
    like: Option<String>,
    /// Number of classes [default: as many as the weights have, else as the labels, else 1000]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// Text file with the names of the classes, one per line in order of their indices, for `zoo classify` [default: ImageNet's if
    /// there are 1000 classes]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Licence of the weights, an SPDX expression
    #[arg(long, alias = "licence", value_name = "SPDX", default_value = "NOASSERTION")]
    license: String,
    /// Preprocessing profile, the NAME of a `[preprocess.NAME]` in the manifest [default: PaddleClas's for tensors with
    /// PaddleClas's names, otherwise timm's]
    #[arg(long, value_name = "NAME")]
    preprocess: Option<String>,
}

/// Number of branches of an added HRNet.
const BRANCHES: usize = 4;

impl Add {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        self.check_widths()?;
        let manifest = cx.manifest_file();
        let file = self.weights.as_deref().map(checkpoint::read).transpose()?;
        // From here to the end: whoever else adds a variant waits, and then finds this one.
        let _alone = alone(&manifest)?;
        let found = match ::files::read_text(&manifest, ::files::LARGEST_TEXT) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            text => Some(text.map_err(|error| Failure::file(&manifest, &error))?),
        };
        let found = found.filter(|text| !text.trim().is_empty());
        let text = found.as_deref().unwrap_or(NEW_MANIFEST);
        let there = cx.parse(text, &manifest)?;
        self.check_name(&there)?;
        for path in self.weights.iter().chain(&self.labels) {
            check_place(cx, &manifest, path)?;
        }
        let added = self.variant(&manifest, &there, file.as_ref())?.added_to(text);
        let zoo = cx.parse(&added, &manifest).map_err(|failure| Failure {
            message: format!(
                "nothing was written: with `{}` the manifest would be invalid: {}",
                self.name, failure.message
            ),
            ..failure
        })?;
        let variant = zoo.find(&self.name)?;
        Labels::of(variant)?;
        if let Some(file) = &file {
            check_weights(&there, variant, file)?;
        }
        write_whole(&manifest, added.as_bytes())?;
        tell(cx, &manifest, variant, found.is_none());
        // It is valid with --weights-dir, or the program would not be here.
        if Zoo::parse(&added, &manifest).is_err() {
            cx.out.note(
                "its weights lie outside of the manifest's folder: every command needs the same `--weights-dir DIR`, or the variable \
                 ZOO_WEIGHTS_DIR, to read this manifest",
            );
        }
        Ok(())
    }

    /// Refuses a name that is already taken.
    fn check_name(&self, zoo: &Zoo) -> Result<(), Failure> {
        let same = |variant: &&Variant| variant.name.eq_ignore_ascii_case(&self.name);
        match zoo.variants.iter().find(same) {
            None => Ok(()),
            Some(variant) => Err(Failure::new(
                Exit::Usage,
                format!("`{}` is already a variant: choose another name", variant.name),
            )
            .help(format!("`zoo show {}` shows it", variant.name))),
        }
    }

    /// Refuses a command line that describes no network.
    fn check_widths(&self) -> Result<(), Failure> {
        if self.widths.is_empty() && self.weights.is_none() && self.like.is_none() {
            let what = format!("nothing says which network `{}` is", self.name);
            return Err(Failure::new(Exit::Usage, what).help(
                "`--weights FILE` takes the network of a weight file, `--like NAME` that of a variant, `--widths 18,36,72,144` that \
                 of HRNet-W18",
            ));
        }
        if self.widths.is_empty() || (self.widths.len() == BRANCHES && !self.widths.contains(&0)) {
            return Ok(());
        }
        let given: Vec<String> = self.widths.iter().map(usize::to_string).collect();
        let what = format!(
            "--widths {}: expected {BRANCHES} numbers above 0, one per branch",
            given.join(",")
        );
        Err(Failure::new(Exit::Usage, what).help("HRNet-W18 has --widths 18,36,72,144"))
    }

    /// Returns the variant to write.
    fn variant(&self, manifest: &Path, zoo: &Zoo, file: Option<&TensorFile>) -> Result<NewVariant, Failure> {
        let like = self.like.as_deref().map(|name| zoo.find(name)).transpose()?;
        let usual = match (file.map(TensorFile::naming), like) {
            (None, Some(like)) => &like.preprocess.id,
            (Some(Ok(Naming::Paddle | Naming::Paddle2020 | Naming::PaddleStatic)), _) => PADDLE,
            _ => TIMM,
        };
        Ok(NewVariant {
            name: self.name.clone(),
            spec: self.spec(like, file)?,
            licence: self.license.clone(),
            preprocess: self.preprocess.clone().unwrap_or_else(|| usual.to_owned()),
            labels: self.labels.as_deref().map(|path| path_from(manifest, path)),
            path: self.weights.as_deref().map(|path| path_from(manifest, path)),
        })
    }

    /// Returns the network: that of `--like`, else that of the weights, with the widths and classes that options give.
    fn spec(&self, like: Option<&Variant>, file: Option<&TensorFile>) -> Result<HrnetSpec, Failure> {
        let described = file.and_then(TensorFile::described);
        let like_spec = like.map(|like| &like.spec);
        let is_pose = |spec: &HrnetSpec| !matches!(spec.head, Head::Classifier(_));
        if like_spec
            .or(described.as_ref().map(|described| &described.spec))
            .is_some_and(is_pose)
        {
            let what = "`zoo add` writes classifiers, and this network finds keypoints";
            return Err(Failure::new(Exit::Usage, what).help(
                "a [[variant]] with `task = \"pose\"`, written by hand, declares it: docs/reference/manifest.md lists its fields",
            ));
        }
        let widths = <[usize; BRANCHES]>::try_from(self.widths.as_slice()).ok();
        let mut spec = match (like, &described, widths) {
            (Some(like), ..) => like.spec.clone(),
            (None, Some(described), _) => described.spec.clone(),
            (None, None, Some(widths)) => HrnetSpec::imagenet(widths),
            (None, None, None) => {
                let file = self.weights.as_deref().unwrap_or(Path::new("")).display();
                let what = format!("{file}: the tensors are not those of an HRNet");
                return Err(Failure::new(Exit::Other, what)
                    .help("`zoo inspect FILE --tensors` lists what is in it; `FILE#KEY` inspects another set of weights"));
            }
        };
        if let Some(widths) = widths {
            spec.widths = widths.to_vec();
        }
        let of_weights = described.filter(|described| described.has_head);
        let of_weights = of_weights.map(|described| described.spec.classes());
        Ok(match self.classes.or(of_weights).or(self.labelled()?) {
            Some(classes) => spec.with_classes(classes),
            None => spec,
        })
    }

    /// Returns the number of labels.
    fn labelled(&self) -> Result<Option<usize>, Failure> {
        let Some(path) = &self.labels else { return Ok(None) };
        let text = ::files::read_text(path, ::files::LARGEST_TEXT);
        let text = text.map_err(|error| Failure::file(path, &error))?;
        Ok(Some(text.trim_end().lines().count()))
    }
}

/// The longest time to wait for another process to release the manifest's folder; adding a variant takes well under a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps other processes from changing the manifest until the lock is dropped.
fn alone(manifest: &Path) -> Result<File, Failure> {
    // A link to a manifest shares the lock of the file that it leads to.
    let file = fs::canonicalize(manifest).unwrap_or_else(|_| manifest.to_owned());
    let folder = ::files::folder_of(&file);
    let held = ::files::hold_folder(folder, PATIENCE).map_err(|error| Failure::file(folder, &error))?;
    held.ok_or_else(|| {
        let what = format!(
            "{}: another process has locked this folder for more than {} s, so nothing was written to {}",
            folder.display(),
            PATIENCE.as_secs(),
            manifest.display()
        );
        Failure::new(Exit::Disk, what)
            .help("wait until the other `zoo` has ended, and run the same command again")
    })
}

/// Refuses a file that lies neither below the manifest's folder nor below that of `--weights-dir`: the manifest may not name it.
fn check_place(cx: &Context, manifest: &Path, file: &Path) -> Result<(), Failure> {
    let written = path_from(manifest, file);
    let is_below = |folder: &Path| Path::new(&written).starts_with(whole(folder));
    if Path::new(&written).is_relative() || cx.weights_dir().is_some_and(is_below) {
        return Ok(());
    }
    let folder = whole(::files::folder_of(manifest));
    let what = format!(
        "{}: a manifest names files in its own folder alone, here {}; nothing was written",
        file.display(),
        folder.display()
    );
    let name = file.file_name().map(Path::new).unwrap_or(file);
    Err(Failure::new(Exit::Usage, what).help(format!(
        "copy the file there, `cp {} {}`, and name the copy; or allow its folder in this command and every later one by \
         `--weights-dir DIR` (ZOO_WEIGHTS_DIR)",
        quoted(file),
        quoted(&folder.join(name))
    )))
}

/// The absolute path, without `..`.
fn whole(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let has_parent = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    match (whole.parent(), whole.file_name()) {
        // The folder may be a link, whose `..` is another than the name before it says.
        (Some(folder), Some(name)) if has_parent(folder) => {
            fs::canonicalize(folder).map_or(whole.clone(), |folder| folder.join(name))
        }
        _ => whole,
    }
}

/// Returns a file's path relative to the manifest's folder if it is below it, otherwise its absolute path.
fn path_from(manifest: &Path, file: &Path) -> String {
    let (manifest, file) = (whole(manifest), whole(file));
    let below = manifest
        .parent()
        .and_then(|folder| file.strip_prefix(folder).ok());
    let Some(below) = below else {
        return file.display().to_string();
    };
    let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
    names.join("/")
}

/// Refuses weights that do not fit the network, and a file that later runs would refuse to open. `zoo` is the manifest before the
/// variant is added.
fn check_weights(zoo: &Zoo, variant: &Variant, file: &TensorFile) -> Result<(), Failure> {
    let local = variant
        .artifacts
        .iter()
        .find_map(|artifact| artifact.local.as_ref());
    if let Some(local) = local.filter(|local| !local.is_there()) {
        let what = format!(
            "{}: a manifest's paths do not follow symbolic links",
            local.path().display()
        );
        return Err(Failure::new(Exit::Usage, what)
            .help("name the file itself; `--weights-dir DIR` (ZOO_WEIGHTS_DIR) allows another folder"));
    }
    let graph = variant.spec.graph(variant.input())?;
    match file.clone().weights(&graph) {
        Ok(_) => Ok(()),
        Err(error) => Err(mismatch(zoo, variant, file, None, error)),
    }
}

fn tell(cx: &Context, manifest: &Path, variant: &Variant, is_new: bool) {
    let (name, manifest) = (&variant.name, manifest.display());
    let made = if is_new {
        ", which is new and keeps the built-in variants"
    } else {
        ""
    };
    cx.out.done(&format!("{name} is in {manifest}{made}"));
    let (preprocess, spec) = (&variant.preprocess.id, &variant.spec);
    let widths: Vec<String> = spec.widths.iter().map(usize::to_string).collect();
    cx.out.note(&format!(
        "widths {}, {}; photos prepared as {preprocess}; `preprocess` in {manifest} changes that",
        widths.join(", "),
        harness::counted(spec.classes(), "class")
    ));
    cx.out.note(&match variant.artifacts.first() {
        Some(_) => format!(
            "next: `zoo classify PHOTO --model {name}`; `zoo fetch {name}` pins the digest of its weights"
        ),
        None => format!("next: `zoo bench -m {name}`, or `zoo classify PHOTO --model {name} --weights FILE`"),
    });
}
