//! Proofs that a unit multiplies packed operands: AVX-512 does so by VNNI and BF16, which not every CPU has that has AVX-512.

use std::marker::PhantomData;

use super::Simd;
use crate::engine::quant::format::Format;

macro_rules! multiplier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in crate::engine) struct $name<S>(PhantomData<S>);

        impl<S: Simd> $name<S> {
            /// Returns the proof, or `None` if the unit does not multiply the format.
            pub(in crate::engine) fn found(s: S) -> Option<Self> {
                s.isa().multiplies(Format::$name).map(|_| Self(PhantomData))
            }

            /// Returns the proof where [`Isa::multiplies`](crate::engine::Isa::multiplies) was asked before.
            ///
            /// # Safety
            /// It names an instruction for the unit and the format.
            #[inline(always)]
            pub(in crate::engine) unsafe fn assumed(_: S) -> Self {
                Self(PhantomData)
            }
        }
    };
}

multiplier!(
    /// The unit multiplies pairs of bf16.
    Bf16
);
multiplier!(
    /// The unit multiplies pairs of i16.
    I16
);
multiplier!(
    /// The unit multiplies fours of i8 and u8.
    Int8
);
