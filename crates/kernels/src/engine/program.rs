//! A whole network as steps over one block of memory, run by a fixed number of threads.

use std::sync::Mutex;

use memmap2::MmapMut;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::barrier::Barrier;
use super::isa::{Isa, on};
use super::packed::{Store, map};
use super::simd::{MAX_LANES, Simd, Work};
use super::step::{Context, Step};

/// What is called after each step with its index.
pub type Watch<'a> = dyn FnMut(usize) + Send + 'a;

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
    memory: MmapMut,
    /// Elements of the maps; each thread's scratch memory lies behind them.
    maps: usize,
    scratch: usize,
    isa: Isa,
    /// Elements of the images and of the result.
    lengths: (usize, usize),
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
}

impl Program {
    /// A program of these steps, whose maps lie in `maps` elements, on `threads` threads.
    ///
    /// # Errors
    /// If there is not enough memory, or the threads cannot be started.
    ///
    /// # Panics
    /// If a step's maps lie outside of the memory, overlap or do not fit the step: the plan is wrong.
    pub fn new(steps: Steps, maps: usize, isa: Isa, threads: usize) -> Result<Self, ProgramError> {
        let threads = threads.max(1);
        for step in &steps.list {
            step.check(maps);
        }
        let scratch = steps.list.iter().map(Step::scratch).max().unwrap_or(0);
        let scratch = scratch.next_multiple_of(MAX_LANES) + MAX_LANES;
        let maps = maps.next_multiple_of(MAX_LANES);
        let bytes = (maps + threads * scratch) * size_of::<f32>();
        let memory = map(bytes).map_err(|source| ProgramError::Memory { bytes, source })?;
        let pool = (threads > 1)
            .then(|| ThreadPoolBuilder::new().num_threads(threads).build())
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
        self.memory.len()
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

    fn go(&mut self, images: &[f32], result: &mut [f32], watch: Option<&Mutex<&mut Watch<'_>>>) {
        assert_eq!(
            (images.len(), result.len()),
            self.lengths,
            "lengths of images and result"
        );
        let context = Context {
            memory: self.memory.as_mut_ptr().cast(),
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
                // SAFETY: `Program::new` has checked that the steps stay in the memory, the lengths are checked above,
                // each thread has its own part and scratch memory, and the barrier keeps steps apart. An `Isa` is the
                // proof that the CPU has the unit.
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
                let barrier = Barrier::new(self.threads);
                pool.broadcast(|thread| part(thread.index(), Some(&barrier)));
            }
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
