//! Which vector unit runs the kernels.

use crate::engine::quant::format::Format;

/// A vector unit that this CPU was found to have: holding one is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa(pub(in crate::engine) Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

/// Runs work, a [`Work`](super::Work) of every [`Simd`](super::Simd), on the unit of an [`Isa`].
macro_rules! on {
    ($isa:expr, $work:expr) => {
        match $isa.0 {
            #[cfg(target_arch = "x86_64")]
            $crate::engine::simd::isa::Kind::Avx512 => $crate::engine::simd::Avx512::call($work),
            #[cfg(target_arch = "x86_64")]
            $crate::engine::simd::isa::Kind::Avx2 => $crate::engine::simd::Avx2::call($work),
            #[cfg(target_arch = "aarch64")]
            $crate::engine::simd::isa::Kind::Neon => $crate::engine::simd::Neon::call($work),
            $crate::engine::simd::isa::Kind::Portable => $crate::engine::simd::Portable::call($work),
        }
    };
}
pub(in crate::engine) use on;

/// What a step is prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The vector unit.
    pub isa: Isa,
    /// The threads that share each step.
    pub threads: usize,
}

/// A unit that was asked for and is not there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no vector unit `{name}` here: this CPU has {available}")]
pub struct UnknownIsa {
    name: String,
    available: String,
}

impl Isa {
    /// The units of this CPU, best first; the last is portable code.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512bw")
            {
                found.push(Self(Kind::Avx512));
            }
            if std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
                && std::arch::is_x86_feature_detected!("f16c")
            {
                found.push(Self(Kind::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Self(Kind::Neon));
        found.push(Self(Kind::Portable));
        found
    }

    /// The best unit of this CPU.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// The unit of this name.
    ///
    /// # Errors
    /// If this CPU has none of that name.
    pub fn named(name: &str) -> Result<Self, UnknownIsa> {
        let available = Self::available();
        let names = || available.iter().map(Self::name).collect::<Vec<_>>().join(", ");
        available
            .iter()
            .copied()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| UnknownIsa {
                name: name.to_owned(),
                available: names(),
            })
    }

    /// `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(&self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            Kind::Portable => "portable",
        }
    }

    /// The instruction that multiplies operands of a format on this unit, or `None` where there is none that pays.
    pub fn multiplies(&self, format: Format) -> Option<&'static str> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => {
                let vnni = std::arch::is_x86_feature_detected!("avx512vnni");
                let bf16 = std::arch::is_x86_feature_detected!("avx512bf16");
                match format {
                    Format::F32 => Some("AVX-512 vfmadd"),
                    Format::F16 => Some("AVX-512 vfmadd, weights widened by vcvtph2ps"),
                    Format::Bf16 => bf16.then_some("AVX-512 vdpbf16ps"),
                    Format::I16 => vnni.then_some("AVX-512 vpdpwssd"),
                    Format::Int8 => vnni.then_some("AVX-512 vpdpbusd"),
                }
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => match format {
                Format::F32 => Some("FMA vfmadd"),
                Format::F16 => Some("FMA vfmadd, weights widened by vcvtph2ps"),
                Format::Bf16 => None,
                Format::I16 => Some("AVX2 vpmaddwd"),
                Format::Int8 => Some("AVX2 vpmaddwd on bytes taken apart"),
            },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => match format {
                Format::F32 => Some("fmla"),
                Format::F16 | Format::Bf16 | Format::I16 | Format::Int8 => Some("plain code"),
            },
            Kind::Portable => match format {
                Format::F32 | Format::F16 | Format::Bf16 | Format::I16 | Format::Int8 => Some("plain code"),
            },
        }
    }

    /// f32 numbers in a vector.
    pub fn lanes(&self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 16,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 8,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => 4,
            Kind::Portable => 4,
        }
    }

    /// Whether the unit has 32 registers rather than 16.
    pub(in crate::engine) fn wide(&self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => true,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => false,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => true,
            Kind::Portable => false,
        }
    }
}
