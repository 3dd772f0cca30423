use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use harness::counted;
use hrnet::{Graph, Precision, Shape, WeightSource};
use registry::Variant;
use runtime::{Calibration, RuntimeError};

use crate::calibration::{Calibrated, CalibrationArg, ranges, refuse_unused, warn_of_stand_in};
use crate::context::Context;
use crate::model::{WeightArgs, Weights};
use crate::nodes::NodeArgs;
use crate::photos::Preparation;
use crate::{Exit, Failure, files, notes};

/// Export a network to ONNX, or its weights to safetensors
///
/// ONNX models take batches of any size, and with --dynamic-size images of any size with sides that are multiples of 32. Input
/// `images` is float32 `[batch, 3, h, w]`, output `logits` is float32 `[batch, classes]`; with --features or --at the outputs
/// have the names of their nodes. The model's metadata_props hold variant, weights, classes and preprocessing. In int8,
/// convolutions are quantized with the ranges of `zoo quantize`, in the QDQ form that ONNX Runtime and OpenVINO run in 8 bits.
/// Safetensors have timm's or PaddleClas's tensor names and load there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    zoo export HRNet_W18_C -o w18.onnx\n  \
    zoo export HRNet_W18_C --features=incre --dynamic-size -o backbone.onnx\n  \
    zoo export HRNet_W18_C -o w18.safetensors")]
pub(crate) struct Export {
    /// Variant to export, e.g. HRNet_W18_C or W18
    name: String,
    #[command(flatten)]
    weights: WeightArgs,
    /// Licence of the weights of --weights, an SPDX expression, for the metadata of ONNX [default: none is noted; weights of a
    /// publisher have the publisher's]
    #[arg(long, alias = "licence", value_name = "SPDX", requires = "weights")]
    license: Option<String>,
    /// File format [default: by the extension of the output]
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Naming of the tensors, for safetensors
    #[arg(long, value_enum, default_value_t = NamesArg::Timm)]
    names: NamesArg,
    /// Leave height and width open, for ONNX
    #[arg(long)]
    dynamic_size: bool,
    /// Fold batch norms into the preceding convolutions, for ONNX; int8 always does
    #[arg(long)]
    fold: bool,
    /// Number format of convolutions, for ONNX: f32 or int8
    #[arg(long, value_name = "NAME", default_value_t = Precision::F32)]
    precision: Precision,
    #[command(flatten)]
    calibration: CalibrationArg,
    /// Feature maps to round to 8 bits, for int8 [default: every]
    #[arg(long, value_enum, value_name = "WHICH")]
    rounded: Option<RoundedArg>,
    #[command(flatten)]
    nodes: NodeArgs,
    /// Output file, `.onnx` or `.safetensors`
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoundedArg {
    /// All feature maps, including sums: ONNX Runtime runs only this form in 8 bits
    Every,
    /// Only inputs of convolutions, with sums in f32: slightly faster in OpenVINO
    Operands,
}

impl RoundedArg {
    fn rounding(self) -> onnx::Rounding {
        match self {
            Self::Every => onnx::Rounding::Every,
            Self::Operands => onnx::Rounding::Operands,
        }
    }
}

impl Export {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = cx.named(&self.name)?;
        let variant = named.variant;
        let format = self.format()?;
        self.refuse_what_does_not_fit(format)?;
        files::check_output(&self.output)?;
        let whose = self.weights.whose(cx, named)?;
        let preparation = Preparation::by_weights(variant, &whose);
        let graph = variant.spec.graph(Shape::images(1, preparation.profile.size()))?;
        let weights = self.weights.load(cx, named, &graph)?;
        if self.weights.are_seeded() {
            cx.out.warn("random weights were never trained");
        }
        let (output, name) = (self.output.display(), &variant.name);
        match format {
            FormatArg::Onnx => {
                let taps = self.nodes.taps(&variant.spec, &graph)?;
                let graph = match taps.iter().map(|tap| tap.node).collect::<Vec<_>>().as_slice() {
                    [] => graph,
                    nodes => graph.computing(nodes),
                };
                let mut model = self.onnx(cx, variant, &graph, &weights)?;
                let licence = self.license.as_deref().or(whose.licence());
                notes::note(&mut model, cx, variant, preparation.profile, &weights, licence)?;
                files::write_whole(&self.output, &model.to_bytes())?;
                cx.out
                    .done(&format!("{output}: {name}, ONNX opset {}", model.opset()));
                ports(cx, &model);
                preparation.tell(cx);
                cx.out.note(&format!(
                    "`zoo preprocess PHOTO --preprocess {} -o images.npy` prepares photos for it",
                    preparation.profile.id
                ));
                if licence.is_none() && !self.weights.are_seeded() {
                    cx.out.note(
                        "no licence is noted in it: the weights are your own; `--license SPDX` notes one",
                    );
                }
            }
            FormatArg::Safetensors => {
                self.safetensors(&graph, weights.source.as_ref())?;
                cx.out.done(&format!("{output}: {name}"));
            }
        }
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
                    .help("--format onnx or --format safetensors selects the format"))
            }
        }
    }

    fn refuse_what_does_not_fit(&self, format: FormatArg) -> Result<(), Failure> {
        let refused = |what: String| Err(Failure::new(Exit::Usage, what));
        let is_for_onnx = self.fold || self.dynamic_size || self.nodes.are_named() || self.license.is_some();
        if format == FormatArg::Safetensors && is_for_onnx {
            return refused(
                "--fold, --dynamic-size, --at, --features and --license are for ONNX: safetensors hold the weights alone, as \
                 they were trained"
                    .into(),
            );
        }
        if self.precision != Precision::Int8 && self.rounded.is_some() {
            return refused("--rounded is for --precision int8: nothing else is rounded".into());
        }
        match (format, self.precision) {
            (_, Precision::F32) | (FormatArg::Onnx, Precision::Int8) => {}
            (FormatArg::Safetensors, precision) => {
                return refused(format!(
                    "--precision {precision} is for ONNX: safetensors hold the weights in f32, as they were trained"
                ));
            }
            (FormatArg::Onnx, precision) => {
                return refused(format!(
                    "--precision {precision}: ONNX is written in f32 and int8"
                ));
            }
        }
        refuse_unused(self.calibration.file.as_deref(), &[self.precision])
    }

    fn onnx(
        &self,
        cx: &Context,
        variant: &Variant,
        graph: &Graph,
        weights: &Weights,
    ) -> Result<onnx::Model, Failure> {
        if self.precision == Precision::Int8 {
            let calibration = self.calibration(cx, variant, graph, weights)?;
            let ranges = ranges(&calibration, graph);
            let rounding = self
                .rounded
                .map_or(onnx::Rounding::default(), RoundedArg::rounding);
            let source = weights.source.as_ref();
            let mut model = onnx::encode_int8(graph, source, &ranges, rounding, self.dynamic_size)?;
            model.note("precision", Precision::Int8.to_string());
            model.note("calibration", &calibration.origin.images);
            return Ok(model);
        }
        let options = onnx::Options {
            dynamic_size: self.dynamic_size,
            fold: self.fold,
        };
        let mut model = onnx::encode(graph, weights.source.as_ref(), options)?;
        model.note("precision", Precision::F32.to_string());
        Ok(model)
    }

    /// Returns the given calibration, or a stand-in.
    fn calibration(
        &self,
        cx: &Context,
        variant: &Variant,
        graph: &Graph,
        weights: &Weights,
    ) -> Result<Arc<Calibration>, Failure> {
        let calibration = match &self.calibration.file {
            Some(file) => {
                let identity = || weights.identity(cx);
                Calibrated::read(cx, file, variant, identity)?.calibration
            }
            None => {
                warn_of_stand_in(cx, &variant.name, &[self.precision]);
                Calibration::stand_in(graph, weights.source.as_ref())?.into()
            }
        };
        calibration.check(graph).map_err(RuntimeError::from)?;
        let kept = calibration
            .layers()
            .filter(|layer| calibration.keeps(layer))
            .count();
        if kept > 0 {
            cx.out.warn(&format!(
                "kept in 16 bits by the calibration, but in 8 bits in this file, as QDQ has no 16-bit form: {}",
                counted(kept, "layer")
            ));
        }
        Ok(calibration)
    }

    fn safetensors(&self, graph: &Graph, weights: &dyn WeightSource) -> Result<(), Failure> {
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

/// Prints the inputs and outputs of the model.
fn ports(cx: &Context, model: &onnx::Model) {
    let inputs = model.inputs();
    let mut free: Vec<&str> = inputs.iter().flat_map(onnx::Port::free).collect();
    free.dedup();
    for port in &inputs {
        cx.out
            .note(&format!("   input  {port}; free: {}", free.join(", ")));
    }
    for port in model.outputs() {
        cx.out.note(&format!("   output {port}"));
    }
}
