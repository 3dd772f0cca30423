use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use harness::eval::Answer;
use preprocess::{Transform, Worker};
use registry::{Digest, LocationError};
use runtime::Session;

use crate::Failure;
use crate::eval::data::{Asked, Entry};
use crate::eval::keep::{Spent, Take, Watch, short};

/// Number of classes that an answer keeps.
pub(crate) const TOP: usize = 5;

/// From photos to answers: threads read, decode and prepare batches while the network runs on those that are ready.
pub(crate) struct Pipeline<'a> {
    pub(crate) transform: &'a Transform,
    /// Number of threads that decode.
    pub(crate) decoders: usize,
    /// Images per batch.
    pub(crate) batch: usize,
    /// The classes to choose from; `None` for all.
    pub(crate) candidates: Option<&'a [usize]>,
}

/// A batch that is ready to run, with the errors of images that cannot be read.
struct Batch {
    /// Indices of the images, with the digest of the file or the reason why it cannot be read.
    images: Vec<(usize, Result<Digest, String>)>,
    /// `[batch, 3, crop, crop]`, zeros in place of missing images.
    pixels: Vec<f32>,
}

impl Pipeline<'_> {
    /// Runs the network on the entries with these indices, in this order, and passes each batch's answers to `answered` until
    /// it returns false.
    pub(crate) fn run(
        &self,
        entries: &[Entry],
        indices: &[usize],
        session: &mut dyn Session,
        answered: &mut Take<Answer>,
    ) -> Result<Spent, Failure> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        // Two batches wait at most, whatever the number of images; buffers go round.
        let (ready, batches) = sync_channel::<Result<Batch, LocationError>>(2);
        let (spare, buffers) = sync_channel::<Vec<f32>>(self.decoders + 3);
        let buffers = Mutex::new(buffers);
        let mut watch = Watch::start();
        let chunks: Vec<&[usize]> = indices.chunks(self.batch).collect();
        let result = thread::scope(|scope| {
            for _ in 0..self.decoders {
                let ready = ready.clone();
                let (chunks, next, stop, buffers) = (&chunks, &next, &stop, &buffers);
                scope.spawn(move || self.decode(entries, chunks, next, stop, buffers, &ready));
            }
            drop(ready);
            let mut logits = vec![0.0; session.output_shape().elements()];
            while let Ok(batch) = batches.recv() {
                let batch = batch?;
                watch.network(|| session.run(&batch.pixels, &mut logits))?;
                let go_on = answered(self.answers(entries, &batch, &logits))?;
                // A full line of spare buffers is as good as a taken one.
                let _ = spare.try_send(batch.pixels);
                if !go_on {
                    break;
                }
            }
            stop.store(true, Ordering::Relaxed);
            // Whoever waits to hand over a batch sees that nobody takes it.
            drop(batches);
            Ok::<(), Failure>(())
        });
        result.map(|()| watch.end())
    }

    fn decode(
        &self,
        entries: &[Entry],
        chunks: &[&[usize]],
        next: &AtomicUsize,
        stop: &AtomicBool,
        buffers: &Mutex<Receiver<Vec<f32>>>,
        ready: &SyncSender<Result<Batch, LocationError>>,
    ) {
        let mut worker = self.transform.worker();
        while !stop.load(Ordering::Relaxed) {
            let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            // A store sends all images of the batch at once, while the first of them is decoded.
            let readings: Vec<Asked> = chunk.iter().map(|index| entries[*index].reading()).collect();
            let spare = buffers.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
            let size = self.transform.output_elements();
            let mut pixels = spare.unwrap_or_else(|_| vec![0.0; self.batch * size]);
            pixels[chunk.len() * size..].fill(0.0);
            let images: Result<_, LocationError> = chunk
                .iter()
                .zip(readings)
                .zip(pixels.chunks_exact_mut(size))
                .map(|((index, reading), pixels)| {
                    Ok((*index, prepare(&mut worker, &entries[*index], reading, pixels)?))
                })
                .collect();
            let batch = images.map(|images| Batch { images, pixels });
            if ready.send(batch).is_err() {
                return;
            }
        }
    }

    fn answers(&self, entries: &[Entry], batch: &Batch, logits: &[f32]) -> Vec<Answer> {
        let classes = logits.len() / self.batch;
        let answer = |((index, read), logits): (&(usize, Result<Digest, String>), &[f32])| match read {
            Err(error) => Answer {
                image: *index,
                error: Some(error.clone()),
                ..Answer::default()
            },
            Ok(digest) => {
                let labels = &entries[*index].labels;
                let top = top(logits, self.candidates);
                Answer {
                    image: *index,
                    sha256: Some(short(digest)),
                    place: top.iter().position(|class| labels.contains(class)),
                    unlabelled: labels.is_empty(),
                    top,
                    error: None,
                }
            }
        };
        let images = batch.images.iter().zip(logits.chunks_exact(classes));
        images.map(answer).collect()
    }
}

/// Prepares one image and returns its digest, or the reason why it cannot be read.
///
/// An unreachable store is not a fault of the image: it ends the run, which can be resumed.
fn prepare(
    worker: &mut Worker<f32>,
    entry: &Entry,
    asked: Asked,
    pixels: &mut [f32],
) -> Result<Result<Digest, String>, LocationError> {
    let digest = asked.wait()?.and_then(|bytes| {
        worker.file(&bytes, pixels).map_err(|error| error.to_string())?;
        Ok(Digest::of(&bytes))
    });
    Ok(digest.map_err(|error| {
        pixels.fill(0.0);
        format!("{}: {error}", entry.name)
    }))
}

/// Returns the classes with the largest logits in descending order; of equal logits the lower class comes first.
fn top(logits: &[f32], candidates: Option<&[usize]>) -> Vec<usize> {
    let mut classes: Vec<usize> = candidates.map_or_else(|| (0..logits.len()).collect(), <[usize]>::to_vec);
    let count = TOP.min(classes.len());
    let order = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    if count < classes.len() {
        classes.select_nth_unstable_by(count, order);
        classes.truncate(count);
    }
    classes.sort_by(order);
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_logits_come_first_and_equal_ones_by_class() {
        let logits = [1.0, 7.0, 3.0, 7.0, -2.0, 4.0, 0.0];
        assert_eq!(top(&logits, None), [1, 3, 5, 2, 0]);
        assert_eq!(
            top(&logits, Some(&[0, 4, 6])),
            [0, 6, 4],
            "only what may be answered"
        );
        assert_eq!(top(&[2.0, f32::NEG_INFINITY], None), [0, 1]);
    }
}
