//! A whole network as steps over one block of memory, run by a fixed number of threads.

mod barrier;
mod memory;
pub(in crate::engine) mod packed;
pub(in crate::engine) mod step;

use std::io::ErrorKind;
use std::sync::Mutex;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::engine::algo::ops::exchange;
use crate::engine::layout::grid::Grid;
use crate::engine::layout::map::Map;
use crate::engine::program::barrier::Barrier;
use crate::engine::program::memory::Memory;
use crate::engine::program::packed::Store;
use crate::engine::program::step::{Context, Refusal, Step};
use crate::engine::simd::isa::{Isa, on};
use crate::engine::simd::{MAX_LANES, Simd, Work};

/// What is called after each step with its index.
pub type Watch<'a> = dyn FnMut(usize) + Send + 'a;

/// What is called after a step with its index and a map of it, `[n, channels, h, w]`.
pub type Observe<'a> = dyn FnMut(usize, Seen, &[f32]) + Send + 'a;

/// Which map of a step is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// What a convolution read.
    Read,
    /// What any step wrote.
    Written,
}

/// Steps in order, whose weights are gathered in one memory as they come.
#[derive(Debug, Default)]
pub struct Steps {
    list: Vec<Step>,
    weights: Store,
}

impl Steps {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Result<Self, ProgramError> {
        let mut all = Self::new();
        for step in steps {
            all.push(step)?;
        }
        Ok(all)
    }

    /// Adds a step to the end.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn push(&mut self, mut step: Step) -> Result<(), ProgramError> {
        let bytes = step.weight_bytes();
        if let Some(packed) = step.packed_mut() {
            self.weights
                .settle(packed)
                .map_err(|source| ProgramError::Memory { bytes, source })?;
        }
        self.list.push(step);
        Ok(())
    }
}

/// Steps in order, with the memory they work in. [`Program::run`] allocates nothing.
#[derive(Debug)]
pub struct Program {
    steps: Steps,
    memory: Memory,
    /// Elements of the maps; each thread's scratch memory lies behind them.
    maps: usize,
    scratch: usize,
    isa: Isa,
    /// Elements of the images and of the result.
    lengths: (usize, usize),
    /// All threads but the caller's.
    pool: Option<ThreadPool>,
    threads: usize,
}

/// Why a program cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is not as much memory.
    #[error("{bytes} bytes of memory for the network: {source}")]
    Memory {
        /// As much as was asked for.
        bytes: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// The threads cannot be started.
    #[error("{threads} threads: {reason}")]
    Threads {
        /// As many as were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// A step may not run in it.
    #[error("step `{step}` is refused: {refusal}")]
    Step {
        /// The step.
        step: String,
        /// Why.
        refusal: Refusal,
    },
}

impl Program {
    /// A program of these steps, whose maps lie in `maps` elements, on `threads` threads.
    ///
    /// # Errors
    /// If there is not enough memory, the threads cannot be started, or the plan is wrong: a step was prepared for another
    /// vector unit than `isa`, or its maps lie outside of the memory, overlap or do not fit the step.
    pub fn new(steps: Steps, maps: usize, isa: Isa, threads: usize) -> Result<Self, ProgramError> {
        let threads = threads.max(1);
        for step in &steps.list {
            step.check(maps, isa).map_err(|refusal| ProgramError::Step {
                step: step.to_string(),
                refusal,
            })?;
        }
        let scratch = steps.list.iter().map(Step::scratch).max().unwrap_or(0);
        let scratch = scratch.next_multiple_of(MAX_LANES) + MAX_LANES;
        let bytes = bytes_of(maps, threads, scratch).ok_or_else(|| ProgramError::Memory {
            bytes: usize::MAX,
            source: ErrorKind::OutOfMemory.into(),
        })?;
        let maps = maps.next_multiple_of(MAX_LANES);
        let memory = Memory::new(bytes).map_err(|source| ProgramError::Memory { bytes, source })?;
        let pool = (threads > 1)
            .then(|| ThreadPoolBuilder::new().num_threads(threads - 1).build())
            .transpose()
            .map_err(|error| ProgramError::Threads {
                threads,
                reason: error.to_string(),
            })?;
        let images = steps.list.iter().map(Step::images).max().unwrap_or(0);
        let result = steps.list.iter().map(Step::result).max().unwrap_or(0);
        Ok(Self {
            steps,
            memory,
            maps,
            scratch,
            isa,
            lengths: (images, result),
            pool,
            threads,
        })
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps.list
    }

    /// Bytes of maps and scratch memory.
    pub fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Computes the result for these images, `[n, 3, h, w]`.
    ///
    /// # Panics
    /// If a slice is not as long as the steps say.
    pub fn run(&mut self, images: &[f32], result: &mut [f32]) {
        self.go(images, result, None);
    }

    /// The same, and calls `after` with the index of each step once all threads have done it.
    ///
    /// # Panics
    /// As [`Program::run`].
    pub fn run_watched(&mut self, images: &[f32], result: &mut [f32], after: &mut Watch<'_>) {
        self.go(images, result, Some(&Mutex::new(after)));
    }

    /// The same, and shows what each convolution read, and the maps that these steps wrote. A program of one thread alone can be
    /// observed: others go on to the next step meanwhile.
    ///
    /// # Panics
    /// As [`Program::run`], if the program has several threads, or if there are not as many flags as steps.
    pub fn run_observed(
        &mut self,
        images: &[f32],
        result: &mut [f32],
        written: &[bool],
        observe: &mut Observe<'_>,
    ) {
        assert_eq!(self.threads, 1, "threads of a program that is observed");
        assert_eq!(written.len(), self.steps.list.len(), "flags of steps");
        let maps = self.steps.list.iter().zip(written).map(|(step, shown)| {
            let written = step.written().filter(|_| *shown);
            [(Seen::Read, step.convolved()), (Seen::Written, written)]
        });
        let maps: Vec<[(Seen, Option<Map>); 2]> = maps.collect();
        let memory = Between(self.memory.start());
        let mut values = Vec::new();
        self.run_watched(images, result, &mut move |step| {
            for (seen, map) in maps[step] {
                let Some(map) = map else { continue };
                // SAFETY: the step's maps lie in the memory, and its only thread is here.
                unsafe { memory.read(map, &mut values) };
                observe(step, seen, &values);
            }
        });
    }

    fn go(&mut self, images: &[f32], result: &mut [f32], watch: Option<&Mutex<&mut Watch<'_>>>) {
        assert_eq!(
            (images.len(), result.len()),
            self.lengths,
            "lengths of images and result"
        );
        let context = Context {
            memory: self.memory.start(),
            images: images.as_ptr(),
            result: result.as_mut_ptr(),
        };
        let part = |part: usize, barrier: Option<&Barrier>| {
            // SAFETY: the memory holds `threads` scratch areas behind the maps.
            let scratch = unsafe { context.memory.add(self.maps + part * self.scratch) };
            let _guard = barrier.map(Barrier::guard);
            for (index, step) in self.steps.list.iter().enumerate() {
                let work = Part {
                    step,
                    context,
                    part: (part, self.threads),
                    scratch,
                };
                // SAFETY: `Program::new` has checked that the steps stay in the memory and were prepared for this unit, the
                // lengths are checked above, each thread has its own part and scratch memory, and the barrier keeps steps
                // apart. An `Isa` is the proof that the CPU has the unit.
                unsafe { on!(self.isa, work) };
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

/// The bytes of maps and of the scratch memory of all threads; none where they are more than can be counted.
fn bytes_of(maps: usize, threads: usize, scratch: usize) -> Option<usize> {
    let maps = maps.checked_next_multiple_of(MAX_LANES)?;
    let elements = maps.checked_add(threads.checked_mul(scratch)?)?;
    elements.checked_mul(size_of::<f32>())
}

/// A program's memory, as seen between two steps.
struct Between(*const f32);

// SAFETY: it is only read where no step runs.
unsafe impl Send for Between {}

impl Between {
    /// Puts the pixels of a map into `values`, `[n, channels, h, w]`.
    ///
    /// # Safety
    /// The map lies in the memory, and nothing is written to it meanwhile.
    unsafe fn read(&self, map: Map, values: &mut Vec<f32>) {
        let Grid { n, h, w, .. } = map.grid;
        values.resize(map.channels * n * h * w, 0.0);
        for channel in 0..map.channels {
            exchange(map, channel, |at, image| {
                // SAFETY: the caller's.
                values[image] = unsafe { *self.0.add(at) };
            });
        }
    }
}

/// One thread's part of a step.
struct Part<'a> {
    step: &'a Step,
    context: Context,
    part: (usize, usize),
    scratch: *mut f32,
}

impl<S: Simd> Work<S> for Part<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the caller's.
        unsafe { self.step.run::<S>(self.context, self.part, self.scratch) }
    }
}
