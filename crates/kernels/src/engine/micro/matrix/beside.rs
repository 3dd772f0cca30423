//! What the vector unit does beside the matrix unit.

use std::ffi::c_void;
use std::marker::PhantomData;

use super::{Line, Shape};
use crate::engine::simd::{Entry, Simd, Step};

/// What the vector unit does while the matrix unit multiplies: a step of some work, after every few pairs of products.
///
/// A CPU begins hardly more than those before the first have ended: it has few registers for tiles beside those of the
/// instructions. So the unit idles while the vector unit does much at once, and works on beside it if that does little at a time.
#[derive(Debug)]
pub struct Beside<'a> {
    /// Pairs of products, each of a block of weights with both vectors, from one step to the next; not 0.
    pub(super) every: usize,
    pub(super) step: unsafe extern "C" fn(*mut c_void),
    pub(super) work: *mut c_void,
    lives: PhantomData<&'a mut ()>,
}

impl<'a> Beside<'a> {
    /// Steps of `work` after every `every` pairs of products. A step must not use a matrix unit.
    ///
    /// # Panics
    /// If `every` is 0.
    pub(in crate::engine) fn new<S: Simd, W: Step>(s: S, every: usize, work: &'a mut W) -> Self {
        assert!(every > 0, "work beside every 0 products");
        let step: Entry<W> = s.entry();
        Self {
            every,
            // SAFETY: functions of one pointer are called alike, whatever it points to. This one is called with `work` alone.
            step: unsafe { std::mem::transmute::<Entry<W>, unsafe extern "C" fn(*mut c_void)>(step) },
            work: (&raw mut *work).cast(),
            lives: PhantomData,
        }
    }

    /// No work.
    pub fn nothing() -> Self {
        extern "C" fn nothing(_: *mut c_void) {}
        Self {
            every: usize::MAX,
            step: nothing,
            work: std::ptr::null_mut(),
            lives: PhantomData,
        }
    }

    /// Takes a step.
    pub(in crate::engine) fn step(&mut self) {
        // SAFETY: the function was made for the work, which this has borrowed.
        unsafe { (self.step)(self.work) }
    }
}

/// How often [`Tiles::sum_all`] takes a step beside sums of so many tiles in groups of this shape.
pub(in crate::engine) fn steps(tiles: usize, shape: Shape, sums: usize, every: usize) -> usize {
    let of_sum = |tiles: usize| tiles * shape.blocks / every;
    match sums {
        1 => of_sum(tiles),
        _ => of_sum(tiles) + 2 * of_sum(tiles / 2),
    }
}

/// Lines that are asked for some time before they are needed, a few in each step: the products of a step hide as many as come
/// while they are computed.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Ahead {
    next: *const Line,
    left: usize,
    at_once: usize,
}

impl Ahead {
    /// No lines.
    pub(in crate::engine) const NONE: Self = Self {
        next: std::ptr::null(),
        left: 0,
        at_once: 0,
    };

    /// These lines, which need not exist, in so many steps; none in none, of a thread that has no part.
    pub(in crate::engine) fn new(lines: *const Line, count: usize, steps: usize) -> Self {
        Self {
            next: lines,
            left: count,
            at_once: if steps == 0 { 0 } else { count.div_ceil(steps) },
        }
    }

    /// Asks for some of them, into the second cache.
    #[inline(always)]
    pub(in crate::engine) fn fetch<S: Simd>(&mut self, s: S) {
        let count = self.at_once.min(self.left);
        for i in 0..count {
            s.prefetch_second(self.next.wrapping_add(i).cast());
        }
        self.next = self.next.wrapping_add(count);
        self.left -= count;
    }
}

/// [`Ahead`], and nothing else beside.
#[derive(Debug)]
pub(in crate::engine) struct Fetch<S> {
    pub(in crate::engine) s: S,
    pub(in crate::engine) ahead: Ahead,
}

impl<S: Simd> Step for Fetch<S> {
    #[inline(always)]
    fn step(&mut self) {
        self.ahead.fetch(self.s);
    }
}
