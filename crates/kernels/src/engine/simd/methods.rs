//! Macros that write the methods of a [`Simd`](super::Simd), so that what makes them sound is said once.

/// Methods that work on registers and on what they are lent, alone.
macro_rules! on_registers {
    ($(
        fn $name:ident $(<const $n:ident: u32>)? ($self:ident $(, $argument:ident: $type:ty)*) $(-> $output:ty)?
            $body:block
    )*) => {$(
        #[inline(always)]
        fn $name $(<const $n: u32>)? ($self, $($argument: $type),*) $(-> $output)? {
            // SAFETY: a token is the proof that the CPU has the unit, whose instructions these are.
            unsafe { $body }
        }
    )*};
}

/// Methods that load and store, each with the contract that [`Simd`](super::Simd) gives to its callers.
macro_rules! through_pointers {
    ($(
        fn $name:ident ($self:ident $(, $argument:ident: $type:ty)*) $(-> $output:ty)?
            $body:block
    )*) => {$(
        #[inline(always)]
        unsafe fn $name($self, $($argument: $type),*) $(-> $output)? {
            // SAFETY: a token is the proof that the CPU has the unit. The lanes that the trait's contract says are valid are
            // touched, and no others.
            unsafe { $body }
        }
    )*};
}

/// Loads and stores of some lanes, and loads of f16, one lane after the other: for units without instructions for them.
macro_rules! lane_by_lane {
    () => {
        through_pointers! {
            fn load_masked(self, from: *const f32, mask: u32) -> V {
                let mut v = [0.0; MAX_LANES];
                for (lane, out) in v.iter_mut().enumerate().take(Self::LANES) {
                    if mask >> lane & 1 == 1 {
                        *out = from.wrapping_add(lane).read();
                    }
                }
                self.load_array(&v)
            }
            fn store_masked(self, to: *mut f32, mask: u32, v: V) {
                let values = self.to_array(v);
                for (lane, value) in values.iter().enumerate().take(Self::LANES) {
                    if mask >> lane & 1 == 1 {
                        to.wrapping_add(lane).write(*value);
                    }
                }
            }
            fn gather(self, from: *const f32, index: *const i32) -> V {
                let mut v = [0.0; MAX_LANES];
                for (lane, out) in v.iter_mut().enumerate().take(Self::LANES) {
                    *out = *from.offset(*index.add(lane) as isize);
                }
                self.load_array(&v)
            }
            fn widen(self, from: *const u16) -> V {
                let mut v = [0.0; MAX_LANES];
                for (lane, out) in v.iter_mut().enumerate().take(Self::LANES) {
                    *out = half::f16::from_bits(from.add(lane).read()).to_f32();
                }
                self.load_array(&v)
            }
        }
    };
}

/// The methods [`Simd::call`](super::Simd::call) and [`Simd::entry`](super::Simd::entry), through functions with these target features.
#[cfg(target_arch = "x86_64")]
macro_rules! entered_with {
    ($features:literal) => {
        #[inline(always)]
        fn call<W: Work<Self>>(self, work: W) -> W::Output {
            #[target_feature(enable = $features)]
            #[inline(never)]
            fn go<S: Simd, W: Work<S>>(s: S, work: W) -> W::Output {
                work.run(s)
            }
            // SAFETY: a token is the proof that the CPU has these features.
            unsafe { go(self, work) }
        }
        fn entry<W: Step>(self) -> Entry<W> {
            #[target_feature(enable = $features)]
            extern "C" fn go<W: Step>(work: &mut W) {
                work.step();
            }
            go::<W>
        }
    };
}

/// The method [`Simd::entry`](super::Simd::entry) of units that every CPU has.
macro_rules! entered_anyhow {
    () => {
        fn entry<W: Step>(self) -> Entry<W> {
            extern "C" fn go<W: Step>(work: &mut W) {
                work.step();
            }
            go::<W>
        }
    };
}
