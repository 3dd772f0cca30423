use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hrnet::{Graph, Shape};

use crate::context::Context;
use crate::model::WeightArgs;
use crate::{Exit, Failure, files};

/// Take a network away: as ONNX, or its weights as safetensors
///
/// ONNX models take batches of any size; with --dynamic-size also images of any size whose sides are multiples of 32.
/// Safetensors are named as timm or PaddleClas name them and load there.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The variant, as `zoo list` names it
    name: String,
    #[command(flatten)]
    weights: WeightArgs,
    /// What to write; without it what the output's extension says
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Whose names the tensors get, for safetensors
    #[arg(long, value_enum, default_value_t = NamesArg::Timm)]
    names: NamesArg,
    /// Leave height and width free, for ONNX
    #[arg(long)]
    dynamic_size: bool,
    /// Fold batch norms into the convolutions before them, for ONNX
    #[arg(long)]
    fold: bool,
    /// Where it goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Onnx,
    Safetensors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum NamesArg {
    Timm,
    Paddle,
}

impl Export {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let variant = cx.variant(&self.name)?;
        let format = self.format()?;
        if format == FormatArg::Safetensors && (self.fold || self.dynamic_size) {
            return Err(Failure::new(
                Exit::Usage,
                "--fold and --dynamic-size are for ONNX: safetensors hold the weights alone, as they were trained",
            ));
        }
        let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop))?;
        let weights = self.weights.load(cx, variant, &graph)?;
        if self.weights.are_seeded() {
            cx.out.warn("seeded weights were never trained");
        }
        self.write(format, &graph, weights.source.as_ref())?;
        cx.out
            .done(&format!("{}: {}", self.output.display(), variant.name));
        Ok(())
    }

    fn format(&self) -> Result<FormatArg, Failure> {
        let extension = self.output.extension().and_then(|extension| extension.to_str());
        match (self.format, extension) {
            (Some(format), _) => Ok(format),
            (None, Some("onnx")) => Ok(FormatArg::Onnx),
            (None, Some("safetensors")) => Ok(FormatArg::Safetensors),
            (None, _) => {
                let what = format!(
                    "{}: the extension is neither .onnx nor .safetensors",
                    self.output.display()
                );
                Err(Failure::new(Exit::Usage, what)
                    .help("--format onnx or --format safetensors says what to write"))
            }
        }
    }

    fn write(
        &self,
        format: FormatArg,
        graph: &Graph,
        weights: &dyn hrnet::WeightSource,
    ) -> Result<(), Failure> {
        match format {
            FormatArg::Onnx => {
                let options = onnx::Options {
                    dynamic_size: self.dynamic_size,
                    fold: self.fold,
                };
                let bytes = onnx::encode(graph, weights, options)
                    .map_err(|error| Failure::new(Exit::Other, error))?;
                files::write_whole(&self.output, &bytes)
            }
            FormatArg::Safetensors => {
                let naming = match self.names {
                    NamesArg::Timm => checkpoint::Naming::Timm,
                    NamesArg::Paddle => checkpoint::Naming::Paddle,
                };
                let layout = checkpoint::Layout::new(naming);
                Ok(checkpoint::write_safetensors(
                    &self.output,
                    graph,
                    weights,
                    &layout,
                )?)
            }
        }
    }
}
