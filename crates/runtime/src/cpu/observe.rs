//! A network whose convolutions are looked at.

use hrnet::{Graph, Precision, WeightSource};

use super::choice::Choice;
use super::{CpuSession, EXACT};
use crate::{Options, RuntimeError};

/// A network in f32 on one thread, which shows what each convolution reads. Which algorithms are fastest here is of no
/// matter to what is seen.
pub(crate) struct Observed {
    session: CpuSession,
    result: Vec<f32>,
}

impl Observed {
    pub(crate) fn new(graph: &Graph, weights: &dyn WeightSource) -> Result<Self, RuntimeError> {
        let options = Options::new(Precision::F32).threads(std::num::NonZeroUsize::MIN);
        Ok(Self {
            session: EXACT.session(graph, weights, &options, Choice::plain())?,
            result: vec![0.0; graph.output_shape().elements()],
        })
    }

    /// Images of a batch.
    pub(crate) fn batch(&self) -> usize {
        self.session.input.n
    }

    /// Runs one batch, and shows for each convolution its node's name and what it reads, `[n, c, h, w]`.
    pub(crate) fn run(
        &mut self,
        images: &[f32],
        show: &mut (dyn FnMut(&str, &[f32]) + Send),
    ) -> Result<(), RuntimeError> {
        let CpuSession {
            program,
            layers,
            input,
            ..
        } = &mut self.session;
        RuntimeError::check_length("images", images.len(), *input)?;
        program.run_observed(images, &mut self.result, &mut |step, values| {
            show(&layers[step], values);
        });
        Ok(())
    }
}
