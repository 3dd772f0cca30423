use std::path::PathBuf;

use checkpoint::TensorFile;
use clap::Args;
use hrnet::Shape;
use serde::Serialize;

use crate::Failure;
use crate::context::Context;
use crate::output::table;

/// Say what a weight file holds, and whose weights it may be
///
/// Nothing in the file is executed. A file fits a variant if it holds exactly the tensors of its network.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A .pdparams, .pth or .safetensors file
    file: PathBuf,
    /// List every tensor
    #[arg(long)]
    tensors: bool,
    /// Print JSON, every tensor included
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Inspected {
    file: PathBuf,
    format: String,
    /// The naming scheme, or why there is none.
    naming: Result<&'static str, String>,
    elements: usize,
    /// Variants whose network has exactly these tensors.
    fits: Vec<String>,
    /// Values that no trained network has.
    ailments: Vec<String>,
    tensors: Vec<Tensor>,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    dtype: String,
    shape: Vec<usize>,
}

impl Inspect {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let file = checkpoint::read(&self.file)?;
        let inspected = Inspected {
            file: self.file.clone(),
            format: file.format.to_string(),
            naming: match file.naming() {
                Ok(naming) => Ok(naming.name()),
                Err(error) => Err(error.to_string()),
            },
            elements: file
                .tensors
                .values()
                .map(|tensor| tensor.shape.iter().product::<usize>())
                .sum(),
            fits: fits(cx, &file)?,
            ailments: file.health().iter().map(ToString::to_string).collect(),
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

/// The variants whose network the file's tensors are.
fn fits(cx: &Context, file: &TensorFile) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for variant in &cx.zoo()?.variants {
        let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop))?;
        if file.clone().bind(&graph).is_ok() {
            names.push(variant.name.clone());
        }
    }
    Ok(names)
}

fn human(file: &Inspected, tensors: bool) -> String {
    let naming = match &file.naming {
        Ok(naming) => (*naming).to_owned(),
        Err(error) => format!("unknown: {error}"),
    };
    let fits = match file.fits.as_slice() {
        [] => "no variant of the manifest".to_owned(),
        names => names.join(", "),
    };
    let mut text = format!(
        "{}\nformat    {}\nnames     {naming}\ntensors   {}, {} elements\nfits      {fits}\nvalues    {}\n",
        file.file.display(),
        file.format,
        file.tensors.len(),
        file.elements,
        if file.ailments.is_empty() {
            "finite, variances plausible"
        } else {
            "not those of a trained network:"
        },
    );
    for ailment in &file.ailments {
        text.push_str(&format!("          {ailment}\n"));
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
