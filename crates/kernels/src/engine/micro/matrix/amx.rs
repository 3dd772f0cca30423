//! AMX from stable Rust: tile instructions by `asm!`, for their intrinsics are unstable.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::sync::OnceLock;

use super::{Beside, Group, Line, NoMatrixUnit, Operand, ROWS, Shape, Sums, VECTORS};

/// The proof that the CPU has AMX with int8 and bf16, and that this process may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Amx(());

/// Bits of CPUID leaf 7 subleaf 0, EDX.
const BF16: u32 = 1 << 22;
const TILE: u32 = 1 << 24;
const INT8: u32 = 1 << 25;

/// State components in XCR0: the tiles' configuration and the tiles.
const SAVED: u64 = 1 << 17 | 1 << 18;

/// `arch_prctl`, and its request for a state component that is not given without asking: tiles take 8 KiB a thread.
#[cfg(target_os = "linux")]
const ARCH_PRCTL: isize = 158;
#[cfg(target_os = "linux")]
const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
#[cfg(target_os = "linux")]
const XFEATURE_XTILEDATA: usize = 18;

impl Amx {
    pub(in crate::engine) fn new() -> Result<Self, NoMatrixUnit> {
        static FOUND: OnceLock<Result<(), NoMatrixUnit>> = OnceLock::new();
        FOUND.get_or_init(look).map(|()| Self(()))
    }

    pub(in crate::engine) fn configure(self, shape: Shape) -> Configured {
        let mut config = Config {
            palette: 1,
            start: 0,
            reserved: [0; 14],
            columns: [0; 16],
            rows: [0; 16],
        };
        config.columns[..8].fill(64);
        config.rows[..8].fill(shape.rows as u8);
        // The registers of weights and those of inputs, see `functions!`.
        let (weights, inputs) = if shape.blocks == 3 { (6, 7) } else { (4, 6) };
        config.columns[weights..inputs].fill(4 * shape.depth as u16);
        config.rows[inputs..8].fill(shape.depth as u8);
        // SAFETY: an `Amx` is the proof that the instruction exists and is permitted; the configuration is one of palette 1.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, preserves_flags, readonly));
        }
        Configured(PhantomData)
    }
}

fn look() -> Result<(), NoMatrixUnit> {
    if __cpuid_count(0, 0).eax < 7 {
        return Err(NoMatrixUnit::Absent);
    }
    let found = __cpuid_count(7, 0).edx;
    if found & (BF16 | TILE | INT8) != BF16 | TILE | INT8 {
        return Err(NoMatrixUnit::Absent);
    }
    // Bit 27 of leaf 1's ECX: the operating system uses `xsave`, so that XCR0 may be read.
    if __cpuid_count(1, 0).ecx & 1 << 27 == 0 {
        return Err(NoMatrixUnit::NotSaved);
    }
    let (low, high): (u32, u32);
    // SAFETY: CPUID says that XCR0 may be read.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    if (u64::from(high) << 32 | u64::from(low)) & SAVED != SAVED {
        return Err(NoMatrixUnit::NotSaved);
    }
    permit()
}

/// Asks Linux for the tiles; the answer is the whole process's, threads that run already included.
#[cfg(target_os = "linux")]
fn permit() -> Result<(), NoMatrixUnit> {
    let answer: isize;
    // SAFETY: this request changes nothing but what the kernel saves for this process; `syscall` clobbers rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    match answer {
        0 => Ok(()),
        errno => Err(NoMatrixUnit::Refused((-errno) as i32)),
    }
}

/// Other systems give tiles to whoever uses them, once XCR0 says that they save them.
#[cfg(not(target_os = "linux"))]
fn permit() -> Result<(), NoMatrixUnit> {
    Ok(())
}

/// The configuration that `ldtilecfg` reads.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    /// Bytes of a row.
    columns: [u16; 16],
    rows: [u8; 16],
}

/// The unit is configured on this thread, until this is dropped. It stays on its thread: configurations are a thread's own.
#[derive(Debug)]
pub(in crate::engine) struct Configured(PhantomData<*const ()>);

impl Drop for Configured {
    fn drop(&mut self) {
        // SAFETY: whoever made this has the instruction. Without it, each switch of threads would save the tiles.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) }
    }
}

/// A whole group in one `asm!`: no tile lives from one block to the next, for nothing tells the compiler of tiles.
///
/// `zero` come first, `product` for each tile, `store` last. `r12` is at weights, `rsi` bytes a block; `rax` at inputs, `rcx` bytes
/// a row; `rdi` at sums; `rdx` are the bytes of a line.
macro_rules! group {
    (zero: [$($zero:expr),*], product: [$($product:expr),*], store: [$($store:expr),*], $operands:expr) => {{
        let Operands { weights, starts, tiles, frame } = $operands;
        asm!(
            $($zero,)*
            "mov rcx, [r13 + {pitch}]",
            "mov rsi, [r13 + {block}]",
            "mov r8, [r13 + {every}]",
            "mov edx, 64",
            "2:",
            "mov rax, [r14]",
            "shl rax, 6",
            "add rax, [r13 + {inputs}]",
            "add r14, 8",
            $($product,)*
            "dec r15",
            "jnz 2b",
            "mov rdi, [r13 + {sums}]",
            $($store,)*
            inputs = const offset_of!(Frame, inputs),
            pitch = const offset_of!(Frame, pitch),
            block = const offset_of!(Frame, block),
            every = const offset_of!(Frame, every),
            work = const offset_of!(Frame, work),
            step = const offset_of!(Frame, step),
            sums = const offset_of!(Frame, sums),
            inout("r12") weights => _,
            in("r13") frame,
            inout("r14") starts => _,
            inout("r15") tiles => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            // Not of every system's C ABI.
            out("rsi") _, out("rdi") _,
            // A call changes these, and the stack is as calls need it.
            clobber_abi("C")
        )
    }};
}

/// A step of the work beside, if it is its turn; weights and count of tiles lie in registers that a call leaves as they are.
///
/// By the C ABI a function may change the tiles. This one is compiled from Rust, which has no instruction that does. Its argument
/// lies where either ABI of this CPU has it, below the room that one of them gives to what is called.
macro_rules! beside {
    () => {
        concat!(
            "dec r8\n",
            "jnz 3f\n",
            "mov rdi, [r13 + {work}]\n",
            "mov rcx, rdi\n",
            "sub rsp, 32\n",
            "call [r13 + {step}]\n",
            "add rsp, 32\n",
            "mov rcx, [r13 + {pitch}]\n",
            "mov rsi, [r13 + {block}]\n",
            "mov r8, [r13 + {every}]\n",
            "mov edx, 64\n",
            "mov rax, [r14 - 8]\n",
            "shl rax, 6\n",
            "add rax, [r13 + {inputs}]\n",
            "3:"
        )
    };
}

/// The memory that the assembly reads and writes.
#[derive(Clone, Copy)]
struct Operands<'a> {
    weights: *const Line,
    starts: *const usize,
    tiles: usize,
    frame: &'a Frame,
}

/// What stays the same through a group, and is read again after each call.
#[repr(C)]
struct Frame {
    inputs: *const Line,
    /// Bytes from one row of a tile of inputs to the next.
    pitch: usize,
    /// Bytes of a block of weights.
    block: usize,
    every: usize,
    sums: *mut Line,
    step: unsafe extern "C" fn(*mut c_void),
    work: *mut c_void,
}

/// The function of each number of blocks for an instruction. Four sums at least are under way where there are two blocks, so
/// that none waits for its own last product.
macro_rules! functions {
    ($module:ident, $multiply:literal) => {
        mod $module {
            use super::*;

            /// # Safety
            /// See [`Configured::sum`].
            pub(in crate::engine) unsafe fn one(operands: Operands<'_>) {
                // SAFETY: memory and configuration are as `Configured::sum` asks for, by the contract above.
                unsafe {
                    group!(
                        zero: ["tilezero tmm0", "tilezero tmm1"],
                        product: [
                            "tileloadd tmm4, [r12 + rdx*1]",
                            "tileloadd tmm6, [rax + rcx*1]",
                            concat!($multiply, " tmm0, tmm4, tmm6"),
                            "tileloadd tmm7, [rax + rcx*1 + 64]",
                            concat!($multiply, " tmm1, tmm4, tmm7"),
                            "add r12, rsi",
                            beside!()
                        ],
                        store: [
                            "tilestored [rdi + rdx*1], tmm0",
                            "tilestored [rdi + rdx*1 + 1024], tmm1"
                        ],
                        operands
                    );
                }
            }

            /// # Safety
            /// See [`Configured::sum`].
            pub(in crate::engine) unsafe fn two(operands: Operands<'_>) {
                // SAFETY: memory and configuration are as `Configured::sum` asks for, by the contract above.
                unsafe {
                    group!(
                        zero: ["tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3"],
                        product: [
                            "tileloadd tmm4, [r12 + rdx*1]",
                            "tileloadd tmm6, [rax + rcx*1]",
                            concat!($multiply, " tmm0, tmm4, tmm6"),
                            "tileloadd tmm7, [rax + rcx*1 + 64]",
                            concat!($multiply, " tmm1, tmm4, tmm7"),
                            "add r12, rsi",
                            beside!(),
                            "tileloadd tmm5, [r12 + rdx*1]",
                            concat!($multiply, " tmm2, tmm5, tmm6"),
                            concat!($multiply, " tmm3, tmm5, tmm7"),
                            "add r12, rsi",
                            beside!()
                        ],
                        store: [
                            "tilestored [rdi + rdx*1], tmm0",
                            "tilestored [rdi + rdx*1 + 1024], tmm1",
                            "tilestored [rdi + rdx*1 + 2048], tmm2",
                            "tilestored [rdi + rdx*1 + 3072], tmm3"
                        ],
                        operands
                    );
                }
            }

            /// Six sums leave two registers for operands: one tile of inputs is loaded twice instead of a product waiting.
            ///
            /// # Safety
            /// See [`Configured::sum`].
            pub(in crate::engine) unsafe fn three(operands: Operands<'_>) {
                // SAFETY: memory and configuration are as `Configured::sum` asks for, by the contract above.
                unsafe {
                    group!(
                        zero: [
                            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2",
                            "tilezero tmm3", "tilezero tmm4", "tilezero tmm5"
                        ],
                        product: [
                            "tileloadd tmm6, [r12 + rdx*1]",
                            "tileloadd tmm7, [rax + rcx*1]",
                            concat!($multiply, " tmm0, tmm6, tmm7"),
                            "tileloadd tmm7, [rax + rcx*1 + 64]",
                            concat!($multiply, " tmm1, tmm6, tmm7"),
                            "add r12, rsi",
                            beside!(),
                            "tileloadd tmm6, [r12 + rdx*1]",
                            concat!($multiply, " tmm3, tmm6, tmm7"),
                            "tileloadd tmm7, [rax + rcx*1]",
                            concat!($multiply, " tmm2, tmm6, tmm7"),
                            "add r12, rsi",
                            beside!(),
                            "tileloadd tmm6, [r12 + rdx*1]",
                            concat!($multiply, " tmm4, tmm6, tmm7"),
                            "tileloadd tmm7, [rax + rcx*1 + 64]",
                            concat!($multiply, " tmm5, tmm6, tmm7"),
                            "add r12, rsi",
                            beside!()
                        ],
                        store: [
                            "tilestored [rdi + rdx*1], tmm0",
                            "tilestored [rdi + rdx*1 + 1024], tmm1",
                            "tilestored [rdi + rdx*1 + 2048], tmm2",
                            "tilestored [rdi + rdx*1 + 3072], tmm3",
                            "tilestored [rdi + rdx*1 + 4096], tmm4",
                            "tilestored [rdi + rdx*1 + 5120], tmm5"
                        ],
                        operands
                    );
                }
            }
        }
    };
}

functions!(bf16, "tdpbf16ps");
functions!(i8u8, "tdpbsud");
functions!(i8i8, "tdpbssd");
functions!(u8i8, "tdpbusd");
functions!(u8u8, "tdpbuud");

impl Configured {
    /// Sums a group.
    ///
    /// # Safety
    /// The unit was configured for this shape. There are weights for every tile, one tile at least, and `depth` rows of inputs
    /// `pitch` lines apart from each tile's line on, with [`VECTORS`] lines each.
    pub(in crate::engine) unsafe fn sum(
        &self,
        shape: Shape,
        group: &Group<'_>,
        sums: &Sums,
        beside: &mut Beside<'_>,
    ) {
        const { assert!(VECTORS == 2 && ROWS == 16 && size_of::<Line>() == 64) };
        let frame = Frame {
            inputs: group.inputs.as_ptr(),
            pitch: size_of::<Line>() * group.pitch,
            block: size_of::<Line>() * shape.rows,
            every: beside.every,
            sums: sums.0.get().cast(),
            step: beside.step,
            work: beside.work,
        };
        let operands = Operands {
            weights: group.weights.as_ptr(),
            starts: group.starts.lines.as_ptr(),
            tiles: group.starts.lines.len(),
            frame: &frame,
        };
        macro_rules! blocks {
            ($module:ident) => {
                match shape.blocks {
                    1 => $module::one(operands),
                    2 => $module::two(operands),
                    _ => $module::three(operands),
                }
            };
        }
        // SAFETY: the configuration is the shape's, whose blocks choose the function, and memory is as long as the functions ask for,
        // by the contract above.
        unsafe {
            match group.operand {
                Operand::Bf16 => blocks!(bf16),
                Operand::I8U8 => blocks!(i8u8),
                Operand::I8I8 => blocks!(i8i8),
                Operand::U8I8 => blocks!(u8i8),
                Operand::U8U8 => blocks!(u8u8),
            }
        }
    }
}
