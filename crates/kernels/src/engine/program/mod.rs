//! A whole network as steps over one block of memory, run by a fixed number of threads.

mod barrier;
mod builder;
pub(in crate::engine) mod check;
mod form;
mod memory;
pub(in crate::engine) mod op;
pub(in crate::engine) mod packed;
pub(in crate::engine) mod parts;
mod run;
mod show;
pub(in crate::engine) mod step;

use std::sync::Mutex;

use rayon::ThreadPool;

use crate::engine::layout::grid::Grid;
use crate::engine::layout::map::Map;
use crate::engine::layout::tiling::Part;
use crate::engine::simd::isa::{Isa, on};
use crate::engine::simd::{MAX_LANES, Simd};
use barrier::Barrier;
use check::Needs;
use memory::{Memory, Shared};
use packed::Store;
use run::{Context, Share};
use step::Step;

pub use builder::{ProgramBuilder, ProgramError};
pub use form::Placed;

/// A function that is called after each step with its index.
pub type Watch<'a> = dyn FnMut(usize) + Send + 'a;

/// A function that is called after a step with its index and a map of it, `[n, channels, h, w]`.
pub type Observe<'a> = dyn FnMut(usize, Seen, &[f32]) + Send + 'a;

/// Which map of a step is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The input of a convolution.
    Read,
    /// The output of any step.
    Written,
}

/// Steps in order, with the memory they work in. [`Program::run`] allocates nothing.
#[derive(Debug)]
pub struct Program {
    steps: Vec<Step>,
    /// The steps' packed weights, which they point into.
    _weights: Store,
    memory: Memory,
    needs: Needs,
    /// Elements of a thread's scratch memory; those of all threads lie behind the values.
    scratch: usize,
    isa: Isa,
    /// All threads but the caller's.
    pool: Option<ThreadPool>,
    threads: usize,
}

impl Program {
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Bytes of maps and scratch memory.
    pub fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Computes the result for these images, `[n, 3, h, w]`.
    ///
    /// # Panics
    /// If a slice is not as long as the steps say.
    pub fn run(&mut self, images: &[f32], results: &mut [f32]) {
        self.go(images, results, None);
    }

    /// The same, and calls `after` with the index of each step once all threads have done it.
    ///
    /// # Panics
    /// As [`Program::run`].
    pub fn run_watched(&mut self, images: &[f32], results: &mut [f32], after: &mut Watch<'_>) {
        self.go(images, results, Some(&Mutex::new(after)));
    }

    /// The same, and shows what each convolution read, and the maps that these steps wrote. A program of one thread alone can be
    /// observed: others go on to the next step meanwhile.
    ///
    /// # Panics
    /// As [`Program::run`], if the program has several threads, or if there are not as many flags as steps.
    pub fn run_observed(
        &mut self,
        images: &[f32],
        results: &mut [f32],
        written: &[bool],
        observe: &mut Observe<'_>,
    ) {
        assert_eq!(self.threads, 1, "threads of a program that is observed");
        assert_eq!(written.len(), self.steps.len(), "flags of steps");
        let maps = self.steps.iter().zip(written).map(|(step, shown)| {
            let written = step.written().filter(|_| *shown);
            [(Seen::Read, step.convolved()), (Seen::Written, written)]
        });
        let maps: Vec<[(Seen, Option<Map>); 2]> = maps.collect();
        let memory = Shared::new(self.memory.start());
        let mut values = Vec::new();
        self.run_watched(images, results, &mut move |step| {
            for (seen, map) in maps[step] {
                let Some(map) = map else { continue };
                let Grid { n, h, w, .. } = map.grid;
                values.resize(map.channels * n * h * w, 0.0);
                for channel in 0..map.channels {
                    map.exchange(channel, |at, image| {
                        // SAFETY: the step's maps lie in the memory, and its only thread is here.
                        values[image] = unsafe { *memory.start().add(at) };
                    });
                }
                observe(step, seen, &values);
            }
        });
    }

    fn go(&mut self, images: &[f32], results: &mut [f32], watch: Option<&Mutex<&mut Watch<'_>>>) {
        let given = Needs {
            images: images.len(),
            results: results.len(),
            ..self.needs
        };
        assert_eq!(given, self.needs, "lengths of images and results");
        let values = self.needs.memory.next_multiple_of(MAX_LANES);
        let context = Context {
            memory: Shared::new(self.memory.start()),
            images,
            results: Shared::new(results.as_mut_ptr()),
        };
        let part = |part: usize, barrier: Option<&Barrier>| {
            let scratch = context.memory.start().wrapping_add(values + part * self.scratch);
            let _guard = barrier.map(Barrier::guard);
            for (index, step) in self.steps.iter().enumerate() {
                let own = Part {
                    index: part,
                    of: self.threads,
                };
                // SAFETY: the builder has checked each operation, made the memory as long as they need, scratch areas of all threads
                // included, and prepared them for this unit alone; the lengths are checked above, each thread has its own part and scratch
                // memory, and the barrier keeps steps apart.
                let share = unsafe { Share::new(step, context, own, scratch) };
                on!(self.isa, s => s.call(share));
                if let Some(barrier) = barrier {
                    barrier.wait();
                }
                if let (0, Some(watch)) = (part, watch) {
                    watch.lock().expect("only this thread locks it")(index);
                }
            }
        };
        match &self.pool {
            None => part(0, None),
            Some(pool) => {
                let barrier = &Barrier::new(self.threads);
                // The caller works, too: were it to wake them all and sleep, two of them might be put on one core.
                pool.in_place_scope(|scope| {
                    scope.spawn_broadcast(|_, thread| part(thread.index() + 1, Some(barrier)));
                    part(0, Some(barrier));
                });
            }
        }
    }
}
