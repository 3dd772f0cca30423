use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use harness::Cell;
use hrnet::{Precision, Size};
use tempfile::TempDir;

use super::prepare::{About, Prepared, Question, right, wrong};
use crate::context::Context;
use crate::npy::Array;
use crate::peers::{Environment, Job, Limits, Peer, State, Worker};
use crate::scratch::Scratch;
use crate::{Exit, Failure, files, npy};

/// A variant, a batch and a crop.
type Key = (String, usize, Size);

/// Folder of the files for peers: our ONNX exports, images and answers.
#[derive(Default)]
pub(super) struct Desk {
    models: Option<Models>,
    references: HashMap<Key, Rc<Vec<f32>>>,
}

/// The models of a variant and a crop.
struct Models {
    key: (String, Size),
    /// Their folder, with what converters made of them.
    folder: Scratch,
    /// Of what is rounded to 8 bits, once an int8 model was asked for.
    ranges: Option<onnx::Ranges>,
}

impl Desk {
    pub(super) fn reference(&self, key: &Key) -> Option<Rc<Vec<f32>>> {
        self.references.get(key).cloned()
    }

    pub(super) fn keep_reference(&mut self, key: Key, values: Rc<Vec<f32>>) {
        self.references.insert(key, values);
    }

    /// A cell that runs in a peer, once the peer's answer is the reference's.
    pub(super) fn prepare(
        &mut self,
        cx: &Context,
        peer: &'static Peer,
        question: &Question,
        reference: &[f32],
    ) -> Result<Prepared, Failure> {
        let environment = Environment::of(cx);
        if let State::Lacks(packages) = environment.state(peer) {
            let (name, lacking) = (peer.name, packages.join(", "));
            let what = format!(
                "{name} is not installed: {} lacks {lacking}",
                environment.root().display()
            );
            return Err(
                Failure::new(Exit::Missing, what).help(format!("`zoo peers install {name}` brings it"))
            );
        }
        let model = self.model(&environment, peer, question)?;
        let folder = TempDir::with_prefix_in("run-", model.parent().unwrap_or(Path::new(".")))
            .map_err(|error| Failure::file(&model, &error))?;
        let (images, answer) = (folder.path().join("images.npy"), folder.path().join("output.npy"));
        let input = question.graph.input_shape();
        let shape = [input.n, input.c, input.h, input.w];
        npy::write(&images, &Array::new("images", &shape, &question.images))?;
        let job = Job {
            peer,
            precision: question.case.precision,
            threads: question.case.threads,
            model: &model,
            images: &images,
            output: &answer,
        };
        let mut worker = Worker::start(&environment, job, Limits::STANDARD)
            .map_err(|error| Failure::new(Exit::Other, error))?;
        let (values, output) = (npy::read(&answer)?, &question.graph.outputs()[0]);
        let tolerance = peer.tolerance(question.case.precision);
        let fidelity = right(output, &values, reference, question.case.batch, tolerance)
            .map_err(|why| wrong(peer.name, &why))?;
        Ok(Prepared {
            about: About {
                weights: question.told_weights.clone(),
                weights_check: question.weights_check,
                backend: worker.about().to_owned(),
                fidelity: Some(fidelity),
            },
            cell: Cell::clocked(move || worker.run()),
        })
    }

    /// The variant's network as ONNX, batch norms folded, in the form that the peer wants. Those of the variant before are
    /// deleted: large networks and what converters make of them take gigabytes.
    fn model(
        &mut self,
        environment: &Environment,
        peer: &Peer,
        question: &Question,
    ) -> Result<PathBuf, Failure> {
        let key = (question.variant.name.clone(), question.case.crop);
        self.models = self.models.take().filter(|models| models.key == key);
        let models = match &mut self.models {
            Some(models) => models,
            none => none.insert(Models {
                key,
                folder: environment.folder()?,
                ranges: None,
            }),
        };
        let name = match (question.case.precision, peer.rounding) {
            (Precision::Int8, onnx::Rounding::Every) => "int8-every.onnx",
            (Precision::Int8, onnx::Rounding::Operands) => "int8-operands.onnx",
            _ => "network.onnx",
        };
        let path = models.folder.path().join(name);
        if !path.exists() {
            files::write_whole(&path, &models.encode(peer, question)?)?;
        }
        Ok(path)
    }
}

impl Models {
    fn encode(&mut self, peer: &Peer, question: &Question) -> Result<Vec<u8>, Failure> {
        let (graph, weights) = (&question.graph, question.weights.source.as_ref());
        if question.case.precision != Precision::Int8 {
            let options = onnx::Options {
                dynamic_size: false,
                fold: true,
            };
            return Ok(onnx::encode(graph, weights, options)?.to_bytes());
        }
        let ranges = match &mut self.ranges {
            Some(ranges) => ranges,
            none => none.insert(question.ranges()?),
        };
        Ok(onnx::encode_int8(graph, weights, ranges, peer.rounding, false)?.to_bytes())
    }
}
