//! The builder of programs: operations in, a program out.

use std::io::ErrorKind;

use rayon::ThreadPoolBuilder;

use super::Program;
use super::check::{Needs, Refusal};
use super::form::{Placed, Prepare};
use super::memory::Memory;
use super::op::Op;
use super::packed::Store;
use super::step::Step;
use crate::engine::simd::MAX_LANES;
use crate::engine::simd::isa::Target;

/// Why a program cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// There is too little memory.
    #[error("{bytes} bytes of memory for the network: {source}")]
    Memory {
        /// The bytes that were asked for.
        bytes: usize,
        /// The system's error.
        source: std::io::Error,
    },
    /// The threads cannot be started.
    #[error("{threads} threads: {reason}")]
    Threads {
        /// The threads that were asked for.
        threads: usize,
        /// The system's error.
        reason: String,
    },
    /// An operation may not run in a program.
    #[error("step `{step}` is refused: {refusal}")]
    Step {
        /// The operation.
        step: String,
        /// Why.
        refusal: Refusal,
    },
}

/// The maker of a program for one target. It prepares each operation for the target, gathers the packed weights in the order of
/// their use, and takes as much memory as the operations' values need.
///
/// ```
/// use kernels::engine::{Grid, Rows, Isa, Map, Op, ProgramBuilder, Target};
///
/// let grid = Grid { n: 1, h: 2, w: 2, p: 1, rows: Rows::Dense };
/// let map = |offset: usize| Map { offset, channels: 1, grid };
/// let (a, b) = (map(0), map(map(0).elements()));
/// let mut builder = ProgramBuilder::new(Target { isa: Isa::best(), threads: 1 });
/// builder.push(Op::Load { to: a })?;
/// builder.push(Op::Add { a, sum: Some(a), relu: true, to: b })?;
/// builder.push(Op::StoreMap { from: b, at: 0 })?;
/// let mut results = [0.0; 4];
/// builder.finish()?.run(&[1.0, -1.0, 0.5, 0.0], &mut results);
/// assert_eq!(results, [2.0, 0.0, 1.0, 0.0]);
/// # Ok::<(), kernels::engine::ProgramError>(())
/// ```
#[derive(Debug)]
pub struct ProgramBuilder {
    target: Target,
    steps: Vec<Step>,
    weights: Store,
    needs: Needs,
}

impl ProgramBuilder {
    /// Returns a builder without operations.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            steps: Vec::new(),
            weights: Store::default(),
            needs: Needs::default(),
        }
    }

    /// Appends an operation.
    ///
    /// # Errors
    /// If the operation cannot run on the target, its values and parameters do not go together, its output lies over what it
    /// reads, or there is too little memory for its weights.
    pub fn push(&mut self, op: Op<Placed>) -> Result<(), ProgramError> {
        let needs = op.check(self.target).map_err(|refusal| ProgramError::Step {
            step: op.to_string(),
            refusal,
        })?;
        let step = op.pass(&mut Prepare {
            target: self.target,
            weights: &mut self.weights,
        })?;
        self.needs = self.needs.and(needs);
        self.steps.push(Step(step));
        Ok(())
    }

    /// Returns the operations so far, prepared.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the program of the operations so far.
    ///
    /// # Errors
    /// If there is too little memory, or the threads cannot be started.
    pub fn finish(self) -> Result<Program, ProgramError> {
        let threads = self.target.threads.max(1);
        let scratch = self.steps.iter().map(Step::scratch).max().unwrap_or(0);
        let scratch = scratch.next_multiple_of(MAX_LANES) + MAX_LANES;
        let bytes = bytes(self.needs.memory, threads, scratch).ok_or_else(|| ProgramError::Memory {
            bytes: usize::MAX,
            source: ErrorKind::OutOfMemory.into(),
        })?;
        let memory = Memory::new(bytes).map_err(|source| ProgramError::Memory { bytes, source })?;
        let pool = (threads > 1)
            .then(|| ThreadPoolBuilder::new().num_threads(threads - 1).build())
            .transpose()
            .map_err(|error| ProgramError::Threads {
                threads,
                reason: error.to_string(),
            })?;
        Ok(Program {
            needs: self.needs,
            steps: self.steps,
            _weights: self.weights,
            memory,
            scratch,
            isa: self.target.isa,
            pool,
            threads,
        })
    }
}

/// The bytes of maps and of the scratch memory of all threads; `None` where they are more than can be counted.
fn bytes(maps: usize, threads: usize, scratch: usize) -> Option<usize> {
    let maps = maps.checked_next_multiple_of(MAX_LANES)?;
    let elements = maps.checked_add(threads.checked_mul(scratch)?)?;
    elements.checked_mul(size_of::<f32>())
}
