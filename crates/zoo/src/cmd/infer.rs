use std::path::PathBuf;

use clap::Args;
use hrnet::Shape;

use crate::context::Context;
use crate::model::ModelArgs;
use crate::{Exit, Failure, npy};

/// Run a network on a NumPy array
///
/// The input is float32 `[n, 3, h, w]`, normalised as the model wants it, with h and w multiples of 32; the output
/// is float32 logits `[n, 1000]`.
#[derive(Debug, Args)]
pub(crate) struct Infer {
    #[command(flatten)]
    model: ModelArgs,
    /// The batch, a `.npy` file
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Where the logits go, a `.npy` file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Infer {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let variant = cx.variant(&self.model.model)?;
        let images = npy::read(&self.input)?;
        let &[n, c, h, w] = images.shape.as_slice() else {
            let shape = &images.shape;
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "{}: expected an array of shape [n, 3, h, w], found {shape:?}",
                    self.input.display()
                ),
            ));
        };
        let mut session = self.model.session(cx, variant, Shape::new(n, c, h, w))?;
        let logits = session.logits(&images.values)?;
        let classes = session.output_shape().c;
        npy::write(&self.output, &[n, classes], &logits)?;
        cx.out
            .done(&format!("{}: logits [{n}, {classes}]", self.output.display()));
        Ok(())
    }
}
