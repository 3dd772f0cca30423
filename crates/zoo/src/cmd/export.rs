use std::path::PathBuf;

use clap::Args;
use hrnet::Shape;

use crate::context::Context;
use crate::model::WeightArgs;
use crate::{Exit, Failure, files};

/// Take a network away as ONNX
///
/// The model takes batches of any size; with --dynamic-size also images of any size whose sides are multiples of 32.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The variant, as `zoo list` names it
    name: String,
    #[command(flatten)]
    weights: WeightArgs,
    /// Leave height and width free
    #[arg(long)]
    dynamic_size: bool,
    /// Fold batch norms into the convolutions before them
    #[arg(long)]
    fold: bool,
    /// Where it goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Export {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let variant = cx.variant(&self.name)?;
        let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop))?;
        let weights = self.weights.load(cx, variant, &graph)?;
        if self.weights.are_seeded() {
            cx.out.warn("seeded weights were never trained");
        }
        let options = onnx::Options {
            dynamic_size: self.dynamic_size,
            fold: self.fold,
        };
        let bytes = onnx::encode(&graph, weights.source.as_ref(), options)
            .map_err(|error| Failure::new(Exit::Other, error))?;
        files::write_whole(&self.output, &bytes)?;
        cx.out
            .done(&format!("{}: {}", self.output.display(), variant.name));
        Ok(())
    }
}
