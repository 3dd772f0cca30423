use std::path::{Path, PathBuf};

use clap::Args;
use hrnet::{Graph, HrnetSpec, NodeId, OutputKind, Shape};

use crate::context::Context;
use crate::files::check_output;
use crate::model::ModelArgs;
use crate::nodes::NodeArgs;
use crate::npy::Array;
use crate::{Exit, Failure, memory, npy};

/// Run a network on a NumPy array and save its logits, heatmaps or feature maps
///
/// The input is a float32 array of shape `[n, 3, h, w]`, normalised as the model expects (`zoo preprocess` writes one), with h
/// and w multiples of 32 and no NaN or infinity. The output is float32: the logits, `[n, classes]`, of a pose network the
/// heatmaps, `[n, maps, h / 4, w / 4]`, or the values of other nodes, `[n, c, h, w]`, all computed in one pass.
///
/// --features returns the arrays of timm.create_model(NAME, features_only=True), named `stride_2`, `stride_4`, `stride_8`,
/// `stride_16` and `stride_32`. The default =incre is timm's default feature_location='incre': nodes bn1.relu and
/// incre_modules.{0,1,2,3}.0.relu. --features=stage4 is timm's feature_location='': bn1.relu and the four outputs of stage 4,
/// stage4.2.fuse_layers.{0,1,2,3}.relu. With --at, arrays have the names of their nodes. With --outputs the network's own
/// outputs are there, too, named `logits` or `heatmaps`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    zoo infer -m HRNet_W18_C -i batch.npy -o logits.npy\n  \
    zoo infer -m HRNet_W18_C -i batch.npy --features -o features.npz   numpy.load(\"features.npz\")[\"stride_4\"]\n  \
    zoo infer -m HRNet_W18_C -i batch.npy --outputs --features -o all.npz      the logits and the maps of one pass\n  \
    zoo infer -m HRNet_W18_C -i batch.npy --at layer1.3.relu,global_pool -o nodes.npz")]
pub(crate) struct Infer {
    #[command(flatten)]
    model: ModelArgs,
    /// Input batch, a `.npy` file
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Output file: `.npy` for one array, `.npz` for several
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    nodes: NodeArgs,
    /// Output the network's own outputs by name, `logits` or `heatmaps`: alone, or beside --at or --features
    #[arg(long)]
    outputs: bool,
}

/// An array that is written: a value of the network under a name.
struct Wanted {
    name: String,
    node: NodeId,
    kind: OutputKind,
}

impl Infer {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = cx.named(&self.model.model)?;
        let variant = named.variant;
        // Its shape alone: an array that no network here could take is not read.
        let whole = variant
            .spec
            .graph(batch(&self.input, &npy::shape(&self.input)?)?)?;
        let wanted = self.wanted(&variant.spec, &whole)?;
        let is_archive = self.is_archive(wanted.len())?;
        let nodes: Vec<NodeId> = wanted.iter().map(|wanted| wanted.node).collect();
        let graph = whole.computing(&nodes);
        memory::check_graph(&variant.name, &graph, self.model.precision)?;
        let images = npy::read(&self.input)?;
        runtime::check_finite(&images, whole.input_shape()).map_err(|error| {
            let failure = Failure::new(Exit::Usage, format!("{}: {error}", self.input.display()));
            failure.help("the logits of NaN and infinity would be meaningless; numpy.isfinite finds them")
        })?;
        check_output(&self.output)?;
        let weights = self.model.weights.load(cx, named, &whole)?;
        let mut session = self.model.prepare(cx, variant, &graph, &weights)?;
        let outputs = session.outputs(&images)?;
        let arrays = wanted.iter().zip(outputs.iter()).map(|(wanted, output)| {
            let Shape { n, c, h, w } = output.shape;
            match wanted.kind {
                OutputKind::Logits => Array::new(&wanted.name, &[n, c], output.values),
                _ => Array::new(&wanted.name, &[n, c, h, w], output.values),
            }
        });
        let arrays: Vec<Array<'_>> = arrays.collect();
        match is_archive {
            true => npy::write_archive(&self.output, &arrays)?,
            false => npy::write(&self.output, &arrays[0])?,
        }
        let told: Vec<String> = arrays.iter().map(Array::to_string).collect();
        cx.out
            .done(&format!("{}: {}", self.output.display(), told.join(", ")));
        Ok(())
    }

    /// Returns the values to write, each once: the network's own outputs if they are asked for or nothing else is, then the nodes.
    fn wanted(&self, spec: &HrnetSpec, graph: &Graph) -> Result<Vec<Wanted>, Failure> {
        let taps = self.nodes.taps(spec, graph)?;
        let own = graph.outputs().iter();
        let own = own.filter(|_| self.outputs || taps.is_empty());
        let mut wanted: Vec<Wanted> = own
            .map(|output| Wanted {
                name: output.name.clone(),
                node: output.node,
                kind: output.kind,
            })
            .collect();
        for tap in taps {
            if wanted.iter().all(|wanted| wanted.node != tap.node) {
                wanted.push(Wanted {
                    name: tap.name,
                    node: tap.node,
                    kind: OutputKind::Value,
                });
            }
        }
        Ok(wanted)
    }

    /// Returns whether to write an archive: requested by the file's name, and required for several arrays.
    fn is_archive(&self, count: usize) -> Result<bool, Failure> {
        let is_archive = self
            .output
            .extension()
            .is_some_and(|extension| extension == "npz");
        if count > 1 && !is_archive {
            let output = self.output.display();
            let failure = Failure::new(
                Exit::Usage,
                format!("{output}: a .npy file holds one array, not {count}"),
            );
            return Err(failure.help(format!(
                "--output {} holds all of them by name",
                self.output.with_extension("npz").display()
            )));
        }
        Ok(is_archive)
    }
}

/// Returns the shape of the images in an array of this shape.
fn batch(input: &Path, shape: &[usize]) -> Result<Shape, Failure> {
    let advice = match *shape {
        [n, 3, h, w] => return Ok(Shape::new(n, 3, h, w)),
        [_, _, _, 3] => {
            "this looks like NHWC: numpy.ascontiguousarray(x.transpose(0, 3, 1, 2)) makes it NCHW"
        }
        [3, _, _] => "the batch axis is missing: x[None] adds it",
        [_, _, 3] => {
            "the batch axis is missing and this looks like HWC: numpy.ascontiguousarray(x.transpose(2, 0, 1)[None])"
        }
        _ => "`zoo preprocess` writes such an array from photos",
    };
    let what = format!(
        "{}: expected an array of shape [n, 3, h, w], found {shape:?}",
        input.display()
    );
    Err(Failure::new(Exit::Usage, what).help(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_does_not_fit_is_told_what_makes_it_fit() {
        let batch = |shape: &[usize]| batch(Path::new("x.npy"), shape);
        assert_eq!(batch(&[2, 3, 64, 96]).expect("NCHW"), Shape::new(2, 3, 64, 96));
        assert_eq!(
            batch(&[2, 3, 64, 3]).expect("NCHW of three columns"),
            Shape::new(2, 3, 64, 3)
        );
        for (shape, advice) in [
            (&[1, 224, 224, 3][..], "transpose(0, 3, 1, 2)"),
            (&[3, 224, 224], "x[None]"),
            (&[224, 224, 3], "transpose(2, 0, 1)[None]"),
            (&[1, 4, 224, 224], "zoo preprocess"),
            (&[7], "zoo preprocess"),
        ] {
            let failure = batch(shape).expect_err("no batch");
            assert!(
                failure.message.contains(&format!("found {shape:?}")),
                "{}",
                failure.message
            );
            let help = failure.help.expect("advice");
            assert!(help.contains(advice), "{shape:?}: {help}");
        }
    }
}
