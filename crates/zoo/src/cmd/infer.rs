use std::path::PathBuf;

use clap::Args;
use hrnet::{Graph, Shape};

use crate::context::Context;
use crate::model::ModelArgs;
use crate::{Exit, Failure, memory, npy};

/// Run a network on a NumPy array
///
/// The input is float32 `[n, 3, h, w]`, normalised as the model wants it, with h and w multiples of 32, and without NaN or
/// infinity; the output is float32 logits `[n, 1000]`, or with --at the output of any other node: `zoo show NAME --layers`
/// lists them. The features of a backbone are `stage4.2.fuse_layers.{0,1,2,3}.relu`.
#[derive(Debug, Args)]
pub(crate) struct Infer {
    #[command(flatten)]
    model: ModelArgs,
    /// The batch, a `.npy` file
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Where the output goes, a `.npy` file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Write this node's output, `[n, c, h, w]`, in place of the logits
    #[arg(long, value_name = "NODE")]
    at: Option<String>,
}

impl Infer {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let variant = cx.variant(&self.model.model)?;
        // Its shape alone: an array that no network here could take is not read.
        let shape = npy::shape(&self.input)?;
        let &[n, c, h, w] = shape.as_slice() else {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "{}: expected an array of shape [n, 3, h, w], found {shape:?}",
                    self.input.display()
                ),
            ));
        };
        let whole = variant.spec.graph(Shape::new(n, c, h, w))?;
        let graph = match &self.at {
            None => whole.clone(),
            Some(name) => up_to(&whole, name)?,
        };
        memory::check_graph(&variant.name, &graph, self.model.precision)?;
        let images = npy::read(&self.input)?;
        runtime::check_finite(&images, whole.input_shape()).map_err(|error| {
            let failure = Failure::new(Exit::Usage, format!("{}: {error}", self.input.display()));
            failure.help(
                "a network makes numbers of NaN and infinity that mean nothing; numpy.isfinite finds them",
            )
        })?;
        let weights = self.model.weights.load(cx, variant, &whole)?;
        let mut session = self.model.prepare(cx, variant, &graph, &weights)?;
        let values = session.logits(&images)?;
        let out = session.output_shape();
        let shape = match self.at {
            None => vec![n, out.c],
            Some(_) => vec![n, out.c, out.h, out.w],
        };
        npy::write(&self.output, &shape, &values)?;
        let what = self.at.as_deref().unwrap_or("logits");
        cx.out
            .done(&format!("{}: {what} {shape:?}", self.output.display()));
        Ok(())
    }
}

/// The part of the network that computes the node of this name.
fn up_to(graph: &Graph, name: &str) -> Result<Graph, Failure> {
    let Some(node) = graph.find(name) else {
        let names = graph.nodes().iter().map(|node| node.name.as_str());
        let help = match registry::nearest(name, names) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`zoo show NAME --layers` lists them".into(),
        };
        let failure = Failure::new(Exit::NotFound, format!("the network has no node `{name}`"));
        return Err(failure.help(help));
    };
    Ok(graph.up_to(node))
}
