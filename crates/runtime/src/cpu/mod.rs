//! The zoo's own engine: the graph compiled to operations of `kernels::engine`, pass by pass.
//!
//! ```text
//! fuse    Graph ──> Op<Fused>     batch norms, sums and activations become part of the operations before them
//! grids                           one grid per size of map, so that any two maps of a size can be added
//! choice                          the format and algorithm of each convolution, estimated or measured (tune)
//! pack                            operations that convert maps to operands of narrow formats
//! memory                          a place for each value; in-place sums and live ranges come from Op::operands
//! bind    Op<Fused> ──> Op<Placed>    weights are read, batch norms folded; a ProgramBuilder prepares the rest
//! ```

mod bind;
mod choice;
mod fuse;
mod grids;
mod memory;
mod need;
mod observe;
mod pack;
mod tune;

use std::sync::Arc;

use choice::Choice;
use fuse::Plan;
use grids::Grids;
use hrnet::{Graph, Precision, WeightSource};
use kernels::engine::{Format, Isa, Program, ProgramError, Step, Target, UnknownIsa};

use crate::{Backend, Calibration, Options, RuntimeError, Session, Shapes, StepCost};

pub use choice::{Costs, CostsError, use_costs};
pub use need::least_memory;
pub(crate) use observe::{Observed, Shown, other_values};
pub use tune::{Tuned, tune};

/// The engine with or without Winograd's minimal filtering.
pub(crate) struct Cpu {
    name: &'static str,
    about: &'static str,
    winograd: bool,
}

pub(crate) static FAST: Cpu = Cpu {
    name: "cpu",
    about: concat!(
        "hrnet-zoo ",
        env!("CARGO_PKG_VERSION"),
        "'s own engine, with Winograd"
    ),
    winograd: true,
};

pub(crate) static EXACT: Cpu = Cpu {
    name: "cpu-exact",
    about: concat!(
        "hrnet-zoo ",
        env!("CARGO_PKG_VERSION"),
        "'s own engine, direct convolutions only"
    ),
    winograd: false,
};

/// The variable that names a vector unit to use in place of the best.
const ISA: &str = "ZOO_ISA";

/// Returns the vector unit that the engine uses: the one that `ZOO_ISA` names, else the CPU's best.
///
/// # Errors
/// If this CPU has no unit of that name.
pub fn unit() -> Result<Isa, UnknownIsa> {
    match named_unit() {
        Some(name) => Isa::named(&name),
        None => Ok(Isa::best()),
    }
}

/// Returns the unit on which the engine runs a precision: the one that `ZOO_ISA` names, else the best that has an instruction
/// for its operands. A unit with tiles leaves to its vector unit what tiles do not suit.
///
/// # Errors
/// If this CPU has no unit of that name.
pub fn unit_for(precision: Precision) -> Result<Isa, UnknownIsa> {
    unit_of(precision).map(|(isa, _)| isa)
}

/// Returns the text of `ZOO_ISA` in small letters; `None` if it is not set.
#[expect(
    clippy::disallowed_methods,
    reason = "for tests and measurements of a unit that is not the best, whatever runs"
)]
fn named_unit() -> Option<String> {
    // What is no text is no unit's name either, and is refused as one.
    std::env::var_os(ISA).map(|name| name.to_string_lossy().to_ascii_lowercase())
}

/// The formats of the operands of the engine's kernels in a precision, the most exact first, the usual one last.
fn formats(precision: Precision) -> &'static [Format] {
    match precision {
        Precision::F32 => &[Format::F32],
        Precision::F16 => &[Format::F16],
        Precision::Bf16 => &[Format::Bf16],
        Precision::I16 => &[Format::I8x2, Format::I16],
        Precision::Int8 => &[Format::Int8],
    }
}

/// Returns the format of the operands of the engine's kernels in a precision on a unit: the most exact that the unit multiplies.
pub fn operands(precision: Precision, isa: Isa) -> Format {
    let formats = formats(precision);
    let multiplied = |format: &&Format| isa.multiplies(**format).is_some();
    let exact = formats.iter().find(multiplied).or(formats.last());
    *exact.expect("a precision has formats")
}

/// The precision whose operands are of this format.
fn precision_of(format: Format) -> Option<Precision> {
    let mut all = Precision::ALL.into_iter();
    all.find(|precision| formats(*precision).contains(&format))
}

/// The vector unit that runs a precision, and what it multiplies the precision's operands by: the one that `ZOO_ISA` names,
/// else the best that has an instruction for them.
fn unit_of(precision: Precision) -> Result<(Isa, Option<&'static str>), UnknownIsa> {
    let multiplies = |isa: Isa| {
        isa.multiplies(operands(precision, isa))
            .map(|how| (isa, Some(how)))
    };
    let units = match named_unit() {
        Some(_) => vec![unit()?],
        // Digits on tiles are exacter than 16 bits on vectors, and not faster: they are for those who ask for the unit.
        None => {
            let usual = formats(precision).last().expect("a precision has formats");
            std::iter::once(Isa::best_for(*usual))
                .chain(Isa::available())
                .collect()
        }
    };
    let found = units.iter().copied().find_map(multiplies);
    Ok(found.unwrap_or((units[0], None)))
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn arithmetic(&self, precision: Precision) -> Option<&'static str> {
        match unit_of(precision) {
            Ok((_, how)) => how,
            // f32 runs on every unit; preparing it says what is wrong with the name.
            Err(_) => (precision == Precision::F32).then_some("f32"),
        }
    }

    fn tolerance(&self, precision: Precision) -> f32 {
        // Winograd's transforms round more often than the definition, and in 16 bits inputs or kernels that they magnify.
        match precision {
            Precision::F32 if self.winograd => 1e-4,
            Precision::F16 | Precision::I16 if self.winograd => 2.0 * precision.tolerance(),
            Precision::F32 | Precision::F16 | Precision::Bf16 | Precision::I16 | Precision::Int8 => {
                precision.tolerance()
            }
        }
    }

    fn prepare(
        &self,
        graph: &Graph,
        weights: &dyn WeightSource,
        options: Options,
    ) -> Result<Box<dyn Session>, RuntimeError> {
        let choice = Choice::new(options.precision, self.winograd);
        let plan = Plan::new(graph).map_err(|reason| self.failed(reason))?;
        Ok(Box::new(self.session(plan, graph, weights, &options, choice)?))
    }
}

/// The calibration that a precision in fixed point needs: the one that was given, or one that stands in for it.
fn calibration(
    graph: &Graph,
    weights: &dyn WeightSource,
    options: &Options,
) -> Result<Option<Arc<Calibration>>, RuntimeError> {
    if !options.precision.is_fixed_point() {
        return Ok(None);
    }
    let calibration = match &options.calibration {
        Some(calibration) => Arc::clone(calibration),
        None => Arc::new(Calibration::stand_in(graph, weights)?),
    };
    calibration.check(graph)?;
    Ok(Some(calibration))
}

/// Converts the error of making a program; lack of memory has a kind of its own.
fn no_program(backend: &'static str, error: ProgramError) -> RuntimeError {
    if matches!(error, ProgramError::Memory { .. }) {
        let source = error.into();
        RuntimeError::Memory { backend, source }
    } else {
        RuntimeError::device(backend, error)
    }
}

impl Cpu {
    fn failed(&self, reason: String) -> RuntimeError {
        RuntimeError::device(self.name, reason)
    }

    fn session(
        &self,
        plan: Plan,
        graph: &Graph,
        weights: &dyn WeightSource,
        options: &Options,
        choice: Choice,
    ) -> Result<CpuSession, RuntimeError> {
        if self.arithmetic(options.precision).is_none() {
            return Err(RuntimeError::Precision {
                backend: self.name,
                precision: options.precision,
            });
        }
        let unit = unit_of(options.precision);
        let (isa, _) = unit.map_err(|error| self.failed(format!("{ISA}: {error}")))?;
        let threads = options.threads.get();
        let target = Target { isa, threads };
        let grids = Grids::new(graph, isa, options.precision);
        let layers = grids::layers(&plan, graph, target, &grids);
        let calibration = calibration(graph, weights, options)?;
        let chosen = pack::chosen(layers, graph, choice, calibration.as_deref());
        let plan = pack::packed(plan, &chosen);
        Ok(CpuSession {
            layers: plan.layers(graph),
            program: bind::program(plan, graph, weights, target, &grids, &chosen)?,
            isa,
            shapes: Shapes::of(graph),
        })
    }
}

struct CpuSession {
    program: Program,
    /// The layer of each of its steps.
    layers: Vec<String>,
    isa: Isa,
    shapes: Shapes,
}

impl CpuSession {
    /// Checks the lengths of a batch and its results and has `run` compute them.
    fn checked(
        &mut self,
        images: &[f32],
        results: &mut [f32],
        run: impl FnOnce(&mut Program, &[f32], &mut [f32]),
    ) -> Result<(), RuntimeError> {
        self.shapes.check(images, results)?;
        run(&mut self.program, images, results);
        Ok(())
    }
}

impl Session for CpuSession {
    fn run(&mut self, images: &[f32], logits: &mut [f32]) -> Result<(), RuntimeError> {
        self.checked(images, logits, Program::run)
    }

    fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    fn unit(&self) -> Option<&'static str> {
        Some(self.isa.name())
    }

    fn steps(&self) -> Vec<StepCost> {
        let cost = |(step, layer): (&Step, &String)| StepCost {
            layer: layer.clone(),
            kind: step.kind(),
            macs: step.macs(),
            operands: step.format().and_then(precision_of),
            on_tiles: step.is_on_tiles(),
            weight_bytes: step.weight_bytes(),
        };
        self.program.steps().iter().zip(&self.layers).map(cost).collect()
    }

    fn run_watched(
        &mut self,
        images: &[f32],
        logits: &mut [f32],
        after: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), RuntimeError> {
        self.checked(images, logits, |program, images, results| {
            program.run_watched(images, results, after);
        })
    }

    fn plan(&self) -> Option<String> {
        let steps = self.program.steps().iter();
        Some(steps.map(|step| format!("{step}\n")).collect())
    }
}
