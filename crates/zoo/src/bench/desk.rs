use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use harness::Cell;
use tempfile::TempDir;

use super::prepare::{About, Prepared, Question, right, wrong};
use crate::context::Context;
use crate::peers::{Environment, Job, Limits, Peer, State, Worker};
use crate::{Exit, Failure, files, npy};

/// A variant, a batch and a crop.
type Key = (String, usize, usize);

/// Where the files lie that peers work from: our ONNX export, images and answers.
#[derive(Default)]
pub(super) struct Desk {
    /// A variant and a crop, and the folder of its model and of what converters made of that.
    model: Option<((String, usize), TempDir)>,
    references: HashMap<Key, Rc<Vec<f32>>>,
}

impl Desk {
    pub(super) fn reference(&self, key: &Key) -> Option<Rc<Vec<f32>>> {
        self.references.get(key).cloned()
    }

    pub(super) fn keep_reference(&mut self, key: Key, logits: Rc<Vec<f32>>) {
        self.references.insert(key, logits);
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
        let model = self.model(&environment, question)?;
        let folder = TempDir::with_prefix_in("run-", model.parent().unwrap_or(Path::new(".")))
            .map_err(|error| Failure::file(&model, &error))?;
        let (images, answer) = (folder.path().join("images.npy"), folder.path().join("logits.npy"));
        let input = question.graph.input_shape();
        npy::write(&images, &[input.n, input.c, input.h, input.w], &question.images)?;
        let job = Job {
            peer,
            threads: question.case.threads,
            model: &model,
            images: &images,
            logits: &answer,
        };
        let mut worker = Worker::start(&environment, job, Limits::STANDARD)
            .map_err(|error| Failure::new(Exit::Other, error))?;
        let logits = npy::read(&answer)?;
        let fidelity = right(&logits.values, reference, question.case.batch, peer.tolerance)
            .map_err(|why| wrong(peer.name, &why))?;
        Ok(Prepared {
            about: About {
                weights: question.weights.about.clone(),
                backend: worker.about().to_owned(),
                fidelity: Some(fidelity),
            },
            cell: Cell::clocked(move || worker.run()),
        })
    }

    /// The variant's network as ONNX, batch norms folded. The one before is deleted: large networks and what converters
    /// make of them take gigabytes.
    fn model(&mut self, environment: &Environment, question: &Question) -> Result<PathBuf, Failure> {
        let key = (question.variant.name.clone(), question.case.crop);
        if self.model.as_ref().is_none_or(|(kept, _)| *kept != key) {
            self.model = None;
            let options = onnx::Options {
                dynamic_size: false,
                fold: true,
            };
            let bytes = onnx::encode(&question.graph, question.weights.source.as_ref(), options)
                .map_err(|error| Failure::new(Exit::Other, error))?;
            let folder = environment.folder()?;
            files::write_whole(&folder.path().join("network.onnx"), &bytes)?;
            self.model = Some((key, folder));
        }
        let (_, folder) = self.model.as_ref().expect("made above");
        Ok(folder.path().join("network.onnx"))
    }
}
