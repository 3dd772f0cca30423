//! tract on our ONNX export.

use std::sync::Arc;

use hrnet::{Graph, Precision, Shape, WeightSource};
use rayon::ThreadPoolBuilder;
use tract_onnx::prelude::multithread::Executor;
use tract_onnx::prelude::*;

use crate::{Backend, Options, RuntimeError, Session, Shapes};

const NAME: &str = "tract";

/// tract's optimised plans on the CPU.
pub(crate) struct Tract;

impl Backend for Tract {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "tract 0.23.9, optimised for the input's shape"
    }

    fn arithmetic(&self, precision: Precision) -> Option<&'static str> {
        (precision == Precision::F32).then_some("f32")
    }

    fn tolerance(&self, _: Precision) -> f32 {
        // Its sums have another order.
        1e-4
    }

    fn prepare(
        &self,
        graph: &Graph,
        weights: &dyn WeightSource,
        options: Options,
    ) -> Result<Box<dyn Session>, RuntimeError> {
        if options.precision != Precision::F32 {
            return Err(RuntimeError::Precision {
                backend: NAME,
                precision: options.precision,
            });
        }
        let export = onnx::Options {
            fold: true,
            ..onnx::Options::default()
        };
        let model = onnx::encode(graph, weights, export)?.to_bytes();
        let input = graph.input_shape();
        let executor = executor(options.threads.get())?;
        Ok(Box::new(TractSession {
            state: state(&model, input, executor).map_err(|error| failed(&error))?,
            shapes: Shapes::of(graph),
        }))
    }
}

fn failed(error: &TractError) -> RuntimeError {
    // Its errors are no `std::error::Error`: the text has all causes.
    RuntimeError::device(NAME, format!("{error:#}"))
}

/// tract shares its matrix products among the threads of a pool, if it is given one.
fn executor(threads: usize) -> Result<Executor, RuntimeError> {
    if threads == 1 {
        return Ok(Executor::SingleThread);
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| RuntimeError::device(NAME, error))?;
    Ok(Executor::MultiThread(Arc::new(pool)))
}

fn state(mut model: &[u8], input: Shape, executor: Executor) -> TractResult<TypedSimpleState> {
    let options = RunOptions {
        executor: Some(executor),
        ..RunOptions::default()
    };
    onnx()
        .model_for_read(&mut model)?
        .with_input_fact(0, f32::fact([input.n, input.c, input.h, input.w]).into())?
        .into_optimized()?
        .into_runnable_with_options(&options)?
        .spawn()
}

struct TractSession {
    state: TypedSimpleState,
    shapes: Shapes,
}

impl TractSession {
    fn infer(&mut self, images: &[f32], logits: &mut [f32]) -> TractResult<()> {
        let Shape { n, c, h, w } = self.shapes.input;
        let images = Tensor::from_shape(&[n, c, h, w], images)?;
        let outputs = self.state.run(tvec!(images.into_tvalue()))?;
        for (result, output) in self.shapes.split(logits).into_iter().zip(&outputs) {
            let values = output.view();
            let values = values.as_slice::<f32>()?;
            if values.len() != result.len() {
                return Err(TractError::msg(format!(
                    "{} elements of a result, expected {}",
                    values.len(),
                    result.len()
                )));
            }
            result.copy_from_slice(values);
        }
        Ok(())
    }
}

impl Session for TractSession {
    fn run(&mut self, images: &[f32], logits: &mut [f32]) -> Result<(), RuntimeError> {
        self.shapes.check(images, logits)?;
        self.infer(images, logits).map_err(|error| failed(&error))
    }

    fn shapes(&self) -> &Shapes {
        &self.shapes
    }
}
