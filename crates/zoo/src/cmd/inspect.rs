use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::Failure;
use crate::context::Context;
use crate::fitting::{Kin, fits};
use crate::output::table;
use crate::weight_file::{WeightFile, quoted};

/// Show what a weight file holds and which variants it fits
///
/// No code in the file is executed. A file fits a variant if it holds exactly the tensors of its network. If a file holds
/// several sets of weights, such as averages of a training run, prints which one other commands use, and the keys for
/// `FILE#KEY` to choose another. For ZIP archives, all checksums are verified.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Weight file: .pdparams, .pth or .safetensors; `FILE#KEY` chooses one of its sets of weights
    #[arg(value_name = "FILE[#KEY]")]
    file: String,
    /// List every tensor
    #[arg(long)]
    tensors: bool,
    /// Print JSON, including every tensor
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Inspected {
    file: PathBuf,
    format: String,
    /// The set of weights in use; null if the file holds only one, at its top level.
    set: Option<String>,
    /// Other sets, for `FILE#KEY`.
    other_sets: Vec<String>,
    /// Number of parts of the file whose checksums were verified; 0 if the format has none.
    checksums: usize,
    /// The naming scheme, or the reason why none was recognized.
    naming: Result<&'static str, String>,
    elements: usize,
    /// Variants whose network has exactly these tensors.
    fits: Vec<String>,
    /// The network of a file that fits no variant; null if it fits one, or has the tensors of no HRNet.
    network: Option<Network>,
    /// Findings about values that no trained network has.
    ailments: Vec<String>,
    /// Names of tensors that cannot be read, with the reason.
    unread: BTreeMap<String, String>,
    /// Unknown classes and functions that the file refers to; none was executed.
    unknown: Vec<String>,
    tensors: Vec<Tensor>,
}

/// A network that is no variant's.
#[derive(Serialize)]
struct Network {
    /// The network in words, by the nearest variant.
    name: String,
    widths: Vec<usize>,
    /// Number of classes; null if the file has no classifier.
    classes: Option<usize>,
    /// The next step.
    advice: String,
}

impl Network {
    fn of(kin: &Kin, file: &WeightFile) -> Self {
        let spec = &kin.described.spec;
        Self {
            name: kin.words(),
            widths: spec.widths.clone(),
            classes: kin.described.has_head.then_some(spec.classes()),
            advice: kin.advice(&file.path, file.set.as_deref()),
        }
    }
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    dtype: String,
    shape: Vec<usize>,
}

impl Inspect {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = WeightFile::parse(&self.file);
        let file = checkpoint::read_set(&named.path, named.set.as_deref())?;
        file.check_all()?;
        let zoo = cx.zoo()?;
        let fits = fits(zoo, &file);
        let kin = fits.is_empty().then(|| Kin::of(zoo, &file, None)).flatten();
        let network = kin.map(|kin| Network::of(&kin, &named));
        let inspected = Inspected {
            file: named.path,
            format: file.format.to_string(),
            set: file.set.clone(),
            other_sets: file.other_sets.clone(),
            checksums: file.checksums(),
            naming: match file.naming() {
                Ok(naming) => Ok(naming.name()),
                Err(error) => Err(error.to_string()),
            },
            elements: file
                .tensors
                .values()
                .map(|tensor| tensor.shape.iter().product::<usize>())
                .sum(),
            fits,
            network,
            ailments: file.health().iter().map(ToString::to_string).collect(),
            unread: file.unread.clone(),
            unknown: file.unknown.clone(),
            tensors: file
                .tensors
                .iter()
                .map(|(name, tensor)| Tensor {
                    name: name.clone(),
                    dtype: tensor.dtype.to_string(),
                    shape: tensor.shape.clone(),
                })
                .collect(),
        };
        if self.json {
            return cx.out.json(&inspected);
        }
        cx.out.data(&human(&inspected, self.tensors))
    }
}

fn human(file: &Inspected, tensors: bool) -> String {
    let naming = match &file.naming {
        Ok(naming) => (*naming).to_owned(),
        Err(error) => format!("unknown: {error}"),
    };
    let fits = match (file.fits.as_slice(), &file.network) {
        ([], None) => "no variant of the manifest".to_owned(),
        ([], Some(network)) => format!("no variant of the manifest: {}; {}", network.name, network.advice),
        (names, _) => names.join(", "),
    };
    let mut text = format!("{}\nformat    {}\n", file.file.display(), file.format);
    if let Some(set) = &file.set {
        text.push_str(&format!("set       `{set}`\n"));
    }
    if !file.other_sets.is_empty() {
        text.push_str(&format!(
            "others    {}, taken by FILE#KEY\n",
            quoted(&file.other_sets)
        ));
    }
    text.push_str(&format!(
        "names     {naming}\ntensors   {}, {} elements\nfits      {fits}\nvalues    {}\n",
        file.tensors.len(),
        file.elements,
        if file.ailments.is_empty() {
            "finite, variances plausible"
        } else {
            "not those of a trained network:"
        },
    ));
    for ailment in &file.ailments {
        text.push_str(&format!("          {ailment}\n"));
    }
    for (name, reason) in &file.unread {
        text.push_str(&format!("not read  `{}`: {reason}\n", name.escape_debug()));
    }
    if !file.unknown.is_empty() {
        text.push_str(&format!(
            "unknown   {}; nothing of it was executed\n",
            quoted(&file.unknown)
        ));
    }
    if file.checksums > 0 {
        text.push_str(&format!("CRC-32    right in all {} parts\n", file.checksums));
    }
    if tensors {
        let rows = file.tensors.iter().map(|tensor| {
            vec![
                tensor.name.clone(),
                tensor.dtype.clone(),
                format!("{:?}", tensor.shape),
            ]
        });
        text.push('\n');
        text.push_str(&table(&["name", "dtype", "shape"], rows));
    }
    text
}
