//! The vector units that run the kernels.

#[cfg(target_arch = "aarch64")]
use super::arm::Neon;
use super::{Portable, Simd};
#[cfg(target_arch = "x86_64")]
use super::{
    avx2::{Avx2, Plain, Vnni},
    avx512::Avx512,
};
use crate::engine::micro::matrix::{MatrixUnit, NoMatrixUnit};
use crate::engine::quant::format::Format;

/// A vector unit that this CPU was found to have: it holds the unit's token, which is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa {
    pub(in crate::engine) kind: Kind,
    tiles: Option<MatrixUnit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2Vnni(Avx2<Vnni>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2<Plain>),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    Portable(Portable),
}

/// Evaluates an expression for the token of an [`Isa`], a [`Simd`] that the expression is generic over.
macro_rules! on {
    ($isa:expr, $s:ident => $body:expr) => {
        match $isa.kind {
            #[cfg(target_arch = "x86_64")]
            $crate::engine::simd::isa::Kind::Avx512($s) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::engine::simd::isa::Kind::Avx2Vnni($s) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::engine::simd::isa::Kind::Avx2($s) => $body,
            #[cfg(target_arch = "aarch64")]
            $crate::engine::simd::isa::Kind::Neon($s) => $body,
            $crate::engine::simd::isa::Kind::Portable($s) => $body,
        }
    };
}
pub(in crate::engine) use on;

/// The unit and threads for which a step is prepared.
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
            found.extend(Avx512::found().map(Kind::Avx512));
            found.extend(Avx2::<Vnni>::found().map(Kind::Avx2Vnni));
            found.extend(Avx2::<Plain>::found().map(Kind::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Kind::Neon(Neon));
        found.push(Kind::Portable(Portable));
        found.into_iter().map(Self::of).collect()
    }

    /// The best unit of this CPU.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// A unit without tiles.
    pub(in crate::engine) fn of(kind: Kind) -> Self {
        Self { kind, tiles: None }
    }

    /// The best unit with the CPU's matrix unit beside it, `amx`.
    ///
    /// # Errors
    /// If the CPU has none, or the kernel does not let this process use it.
    pub fn with_tiles() -> Result<Self, NoMatrixUnit> {
        Ok(Self {
            tiles: Some(MatrixUnit::hardware()?),
            ..Self::best()
        })
    }

    /// The best unit for products of a format: with tiles, if the CPU has a matrix unit that multiplies them.
    pub fn best_for(format: Format) -> Self {
        let tiles = format.tiles().and_then(|_| Self::with_tiles().ok());
        tiles.unwrap_or_else(Self::best)
    }

    /// The best unit with plain code in place of a matrix unit, `amx-twin`.
    pub fn with_twin() -> Self {
        Self::best().twin()
    }

    /// All units that this CPU can run: [`Isa::available`], and those with tiles.
    pub fn all() -> Vec<Self> {
        let mut all = Self::available();
        all.extend(Self::with_tiles());
        all.push(Self::with_twin());
        all
    }

    /// The same vector unit with plain code in place of a matrix unit, for tests of layouts.
    pub fn twin(self) -> Self {
        Self {
            tiles: Some(MatrixUnit::Twin),
            ..self
        }
    }

    /// The matrix unit beside the vector unit; `None` if there is none, or it is not to be used.
    pub fn tiles(&self) -> Option<MatrixUnit> {
        self.tiles
    }

    /// The vector unit alone.
    pub fn vectors(&self) -> Self {
        Self::of(self.kind)
    }

    /// The unit of this name.
    ///
    /// # Errors
    /// If this CPU has none of that name.
    pub fn named(name: &str) -> Result<Self, UnknownIsa> {
        let available = Self::all();
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

    /// `avx512`, `avx2-vnni`, `avx2`, `neon` or `portable`, or with tiles `amx` or `amx-twin`.
    pub fn name(&self) -> &'static str {
        if let Some(tiles) = self.tiles {
            return tiles.name();
        }
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2Vnni(_) => "avx2-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
            Kind::Portable(_) => "portable",
        }
    }

    /// Returns `true` if the unit has tiles of this format.
    pub fn multiplies_tiles(self, format: Format) -> bool {
        self.tiles.is_some() && format.tiles().is_some()
    }

    /// The instruction that multiplies operands of a format on this unit, or `None` where there is none that pays.
    pub fn multiplies(&self, format: Format) -> Option<&'static str> {
        if let (Some(tiles), Some(operand)) = (self.tiles, format.tiles()) {
            if format.tiles_only() {
                return Some(tiles.instruction(operand));
            }
            // The vector unit computes what tiles do not suit.
            return self
                .vectors()
                .multiplies(format)
                .map(|_| tiles.instruction(operand));
        }
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => {
                let vnni = std::arch::is_x86_feature_detected!("avx512vnni");
                let bf16 = std::arch::is_x86_feature_detected!("avx512bf16");
                match format {
                    Format::F32 => Some("AVX-512 vfmadd"),
                    Format::F16 => Some("AVX-512 vfmadd, weights widened by vcvtph2ps"),
                    Format::Bf16 => bf16.then_some("AVX-512 vdpbf16ps"),
                    Format::I16 => vnni.then_some("AVX-512 vpdpwssd"),
                    Format::I8x2 => None,
                    Format::Int8 => vnni.then_some("AVX-512 vpdpbusd"),
                }
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2Vnni(_) => match format {
                Format::F32 => Some("FMA vfmadd"),
                Format::F16 => Some("FMA vfmadd, weights widened by vcvtph2ps"),
                Format::Bf16 | Format::I8x2 => None,
                Format::I16 => Some("AVX-VNNI vpdpwssd"),
                Format::Int8 => Some("AVX-VNNI vpdpbusd"),
            },
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => match format {
                Format::F32 => Some("FMA vfmadd"),
                Format::F16 => Some("FMA vfmadd, weights widened by vcvtph2ps"),
                Format::Bf16 | Format::I8x2 => None,
                Format::I16 => Some("AVX2 vpmaddwd"),
                Format::Int8 => Some("AVX2 vpmaddubsw"),
            },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => match format {
                Format::F32 => Some("fmla"),
                Format::F16 | Format::Bf16 | Format::I16 | Format::Int8 => Some("plain code"),
                Format::I8x2 => None,
            },
            Kind::Portable(_) => match format {
                Format::F32 | Format::F16 | Format::Bf16 | Format::I16 | Format::Int8 => Some("plain code"),
                Format::I8x2 => None,
            },
        }
    }

    /// f32 numbers in a vector.
    pub fn lanes(&self) -> usize {
        fn of<S: Simd>(_: S) -> usize {
            S::LANES
        }
        on!(self, s => of(s))
    }

    /// See [`Simd::PAIR`].
    pub(in crate::engine) fn pair(&self) -> Option<f32> {
        fn of<S: Simd>(_: S) -> Option<f32> {
            S::PAIR
        }
        on!(self, s => of(s))
    }

    /// Vector registers: 32 or 16.
    pub(in crate::engine) fn registers(&self) -> usize {
        fn of<S: Simd>(_: S) -> usize {
            S::REGISTERS
        }
        on!(self, s => of(s))
    }
}
