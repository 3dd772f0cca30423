use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use hrnet::{Graph, Precision, Shape, WeightSource};
use registry::Variant;
use runtime::{Calibration, RuntimeError};

use crate::calibration::{Calibrated, CalibrationArg, ranges, refuse_unused, warn_of_stand_in};
use crate::context::Context;
use crate::model::{WeightArgs, Weights};
use crate::{Exit, Failure, files};

/// Take a network away: as ONNX, or its weights as safetensors
///
/// ONNX models take batches of any size; with --dynamic-size also images of any size whose sides are multiples of 32.
/// In int8 their convolutions are quantized by ranges of `zoo quantize`, in the form that ONNX Runtime and OpenVINO run in 8
/// bits (QDQ). Safetensors are named as timm or PaddleClas name them and load there.
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
    /// Fold batch norms into the convolutions before them, for ONNX; in int8 they always are
    #[arg(long)]
    fold: bool,
    /// Number format of convolutions, for ONNX: f32 or int8
    #[arg(long, value_name = "NAME", default_value_t = Precision::F32)]
    precision: Precision,
    #[command(flatten)]
    calibration: CalibrationArg,
    /// Which maps are rounded to 8 bits, for int8; without it every one
    #[arg(long, value_enum, value_name = "WHICH")]
    rounded: Option<RoundedArg>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoundedArg {
    /// All maps, sums among them: ONNX Runtime runs nothing else in 8 bits
    Every,
    /// What convolutions read, with sums in f32: a little faster in OpenVINO
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
        let variant = cx.variant(&self.name)?;
        let format = self.format()?;
        self.refuse_what_does_not_fit(format)?;
        let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop))?;
        let weights = self.weights.load(cx, variant, &graph)?;
        if self.weights.are_seeded() {
            cx.out.warn("seeded weights were never trained");
        }
        match format {
            FormatArg::Onnx => {
                let bytes = self.onnx(cx, variant, &graph, &weights)?;
                files::write_whole(&self.output, &bytes)?;
            }
            FormatArg::Safetensors => self.safetensors(&graph, weights.source.as_ref())?,
        }
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

    fn refuse_what_does_not_fit(&self, format: FormatArg) -> Result<(), Failure> {
        let refused = |what: String| Err(Failure::new(Exit::Usage, what));
        if format == FormatArg::Safetensors && (self.fold || self.dynamic_size) {
            return refused(
                "--fold and --dynamic-size are for ONNX: safetensors hold the weights alone, as they were trained"
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
    ) -> Result<Vec<u8>, Failure> {
        if self.precision == Precision::Int8 {
            let calibration = self.calibration(cx, variant, graph, weights)?;
            let ranges = ranges(&calibration, graph);
            let rounding = self
                .rounded
                .map_or(onnx::Rounding::default(), RoundedArg::rounding);
            let source = weights.source.as_ref();
            return Ok(onnx::encode_int8(
                graph,
                source,
                &ranges,
                rounding,
                self.dynamic_size,
            )?);
        }
        let options = onnx::Options {
            dynamic_size: self.dynamic_size,
            fold: self.fold,
        };
        Ok(onnx::encode(graph, weights.source.as_ref(), options)?)
    }

    /// The calibration that was given, or a stand-in.
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
                "{kept} layers that the calibration keeps in 16 bits are in 8 in this file: QDQ has none of 16"
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
