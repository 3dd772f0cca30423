use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use checkpoint::{Naming, TensorFile};
use clap::Args;
use hrnet::place::{Layer, Role, Unit};
use hrnet::{ParamKind, Place, Shape};
use registry::{NEW_MANIFEST, NewVariant, Variant, Zoo};

use crate::context::Context;
use crate::files::write_whole;
use crate::weight_file::fits;
use crate::{Exit, Failure};

/// The preprocessing profile for weights with PaddleClas's tensor names, and the one for all others.
const PADDLE: &str = "paddle-224";
const TIMM: &str = "timm-224-bilinear-0.875";

/// Add a variant of your own to zoo.toml
///
/// Creates zoo.toml if there is none; a new file keeps the built-in variants beside yours. The weights must fit the widths.
/// They stay where they are, which must be the folder of zoo.toml or a folder below it. crates/registry/README.md lists every
/// field of a variant, also those without an option here.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Name of the new variant
    name: String,
    /// Channels of the four branches, e.g. 20,40,80,160
    #[arg(long, required = true, value_name = "W,W,W,W", value_delimiter = ',')]
    widths: Vec<usize>,
    /// Weight file: .pth, .pdparams or .safetensors. Without it the variant has no weights, and other commands need `--weights`
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Number of classes [default: as many as the weights have, or 1000]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
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

/// Properties of a network that its weight file reveals.
#[derive(Default)]
struct Told {
    naming: Option<Naming>,
    widths: Option<Vec<usize>>,
    classes: Option<usize>,
}

impl Add {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        if self.widths.len() != BRANCHES || self.widths.contains(&0) {
            let given: Vec<String> = self.widths.iter().map(usize::to_string).collect();
            let what = format!(
                "--widths {}: expected {BRANCHES} numbers above 0, one per branch",
                given.join(",")
            );
            return Err(Failure::new(Exit::Usage, what).help("HRNet-W18 has --widths 18,36,72,144"));
        }
        let manifest = cx.manifest_file();
        let file = self.weights.as_deref().map(checkpoint::read).transpose()?;
        let told = file.as_ref().map(Told::of).unwrap_or_default();
        // From here to the end: whoever else adds a variant waits, and then finds this one.
        let _alone = alone(&manifest)?;
        let found = match ::files::read_text(&manifest, ::files::LARGEST_TEXT) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            text => Some(text.map_err(|error| Failure::file(&manifest, &error))?),
        };
        let found = found.filter(|text| !text.trim().is_empty());
        let text = found.as_deref().unwrap_or(NEW_MANIFEST);
        self.check_name(&cx.parse(text, &manifest)?)?;
        let added = self.variant(&manifest, &told).added_to(text);
        let zoo = cx.parse(&added, &manifest).map_err(|failure| Failure {
            message: format!(
                "nothing was written: with `{}` the manifest would be invalid: {}",
                self.name, failure.message
            ),
            ..failure
        })?;
        let variant = zoo.find(&self.name)?;
        if let Some(file) = file {
            check_weights(&zoo, variant, file, &told)?;
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

    /// Returns the variant to write.
    fn variant(&self, manifest: &Path, told: &Told) -> NewVariant {
        let usual = match told.naming {
            Some(Naming::Paddle | Naming::Paddle2020 | Naming::PaddleStatic) => PADDLE,
            Some(Naming::Timm | Naming::Mmpretrain) | None => TIMM,
        };
        let classes = self.classes.or(told.classes);
        NewVariant {
            name: self.name.clone(),
            widths: self.widths.clone(),
            classes: classes.filter(|classes| *classes != IMAGENET),
            licence: self.license.clone(),
            preprocess: self.preprocess.clone().unwrap_or_else(|| usual.to_owned()),
            path: self.weights.as_deref().map(|path| path_from(manifest, path)),
        }
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

/// Classes of ImageNet.
const IMAGENET: usize = 1000;

impl Told {
    fn of(file: &TensorFile) -> Self {
        let Ok(naming) = file.naming() else {
            return Self::default();
        };
        // What is before every name of a file is of no matter here.
        let channels = |place: Place, kind: ParamKind| {
            let name = naming.name_of(&place, kind);
            let mut tensors = file.tensors.iter();
            let (_, tensor) = tensors.find(|(key, _)| key.ends_with(&name))?;
            tensor.shape.first().copied()
        };
        let branches = 0..4;
        let width = |branch: usize| {
            let block = Unit::Block {
                stage: 4,
                module: 0,
                branch,
                block: 0,
            };
            channels(block.at(Role::Conv(Layer::Numbered(1))), ParamKind::ConvWeight)
        };
        Self {
            naming: Some(naming),
            widths: branches.map(width).collect(),
            classes: channels(Unit::Classifier.at(Role::Linear), ParamKind::LinearBias),
        }
    }

    /// Returns the options of `zoo add` that describe the file.
    fn options(&self) -> Option<String> {
        let widths: Vec<String> = self.widths.as_ref()?.iter().map(usize::to_string).collect();
        let classes = self.classes.filter(|classes| *classes != IMAGENET);
        let classes = classes.map_or(String::new(), |classes| format!(" --classes {classes}"));
        Some(format!("--widths {}{classes}", widths.join(",")))
    }
}

/// Returns a file's path relative to the manifest's folder if it is below it, otherwise its absolute path.
fn path_from(manifest: &Path, file: &Path) -> String {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
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

/// Refuses weights that do not fit the network, and a file that later runs would refuse to open.
fn check_weights(zoo: &Zoo, variant: &Variant, file: TensorFile, told: &Told) -> Result<(), Failure> {
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
    let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop))?;
    let Err(error) = file.clone().weights(&graph) else {
        return Ok(());
    };
    let failure = Failure::from(error);
    let others: Vec<String> = fits(zoo, &file)?
        .into_iter()
        .filter(|name| *name != variant.name)
        .collect();
    let options = told.options().filter(|_| {
        told.widths.as_ref() != Some(&variant.spec.widths) || told.classes != Some(variant.spec.head.classes)
    });
    Err(match (others.as_slice(), options) {
        ([], None) => failure.help("`zoo inspect FILE --tensors` lists what is in it"),
        ([], Some(options)) => failure.help(format!("its shapes are those of `{options}`")),
        (names, _) => failure.help(format!("the file has the tensors of {}", names.join(" and "))),
    })
}

fn tell(cx: &Context, manifest: &Path, variant: &Variant, is_new: bool) {
    let (name, manifest) = (&variant.name, manifest.display());
    let made = if is_new {
        ", which is new and keeps the built-in variants"
    } else {
        ""
    };
    cx.out.done(&format!("{name} is in {manifest}{made}"));
    let preprocess = &variant.preprocess.id;
    cx.out.note(&format!(
        "photos prepared as {preprocess}; `preprocess` in {manifest} changes that"
    ));
    cx.out.note(&match variant.artifacts.first() {
        Some(_) => format!(
            "next: `zoo classify PHOTO --model {name}`; `zoo fetch {name}` pins the digest of its weights"
        ),
        None => format!("next: `zoo bench -m {name}`, or `zoo classify PHOTO --model {name} --weights FILE`"),
    });
}
