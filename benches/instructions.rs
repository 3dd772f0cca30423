//! `cargo bench --bench instructions`: how many instructions hot kernels take, counted by valgrind's callgrind. Counts do
//! not move with the machine's load as times do: a kernel that is no longer inlined or vectorised shows at once, on any
//! machine. They say nothing about caches, ports or latencies.
//!
//! Valgrind has neither AVX-512 nor AVX-VNNI, so the next best unit is counted: AVX2, NEON or portable code. `-- --check` compares with
//! `benches/instructions.toml` and fails where a count has grown by more than 5 %; counts depend on the compiler, so those of
//! another are not compared. `-- --save` writes this compiler's there.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use kernels::engine::{
    Algorithm, ConvParams, ConvShape, Format, Grid, Isa, Layer, Map, Op, ProgramBuilder, Rows, Target,
};
use kernels::{Extent, Geometry, Resampling, Resizer, Window};
use toml::{Table, Value};

/// Where the counts lie that others are compared with.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.toml");

const HEADER: &str = "# Instructions of one run of each kernel, by compiler and vector unit.\n\
                      # Written by `cargo bench --bench instructions -- --save`.\n\n";

/// The growth that is still the same: the crate's other code decides, too, what the compiler inlines, by up to 4 %.
const TOLERANCE: f64 = 0.05;

/// The option that has this program run one kernel, for callgrind to count.
const RUN: &str = "--run";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wants = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let [RUN, name] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let mut kernels = kernels(unit());
        let kernel = kernels.iter_mut().find(|kernel| kernel.name == name);
        let run = &mut *kernel.expect("the name of a kernel").run;
        // What happens once is not counted.
        run();
        counted(run);
        return ExitCode::SUCCESS;
    }
    // `cargo test` runs benchmarks too, without this.
    if !wants("--bench") {
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        testkit::not_run(
            "VALGRIND",
            "instruction counts",
            "there is no valgrind here (Debian: apt-get install valgrind)",
        );
        return ExitCode::SUCCESS;
    }
    match compare(wants("--save"), wants("--check")) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("instructions cannot be counted: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Counts every kernel and says how it has changed; whether the check, if one is asked for, is passed.
fn compare(save: bool, check: bool) -> Result<bool, String> {
    let unit = unit();
    let key = format!("{}, {}", compiler()?, unit.name());
    let mut baseline = baseline()?;
    let before = baseline.get(&key).and_then(Value::as_table).cloned();
    let (mut now, mut grown, mut unknown) = (Table::new(), Vec::new(), Vec::new());
    for kernel in kernels(unit) {
        let count = count(&kernel.name)?;
        let mut line = format!(
            "{:<64} {count:>10} instructions, {:>5.2} {}",
            kernel.name,
            count as f64 / kernel.work,
            kernel.what
        );
        let known = before.as_ref().and_then(|before| before.get(&kernel.name));
        if let Some(known) = known.and_then(Value::as_integer) {
            let growth = count as f64 / known as f64 - 1.0;
            write!(line, ", {:+.1} %", 100.0 * growth).expect("strings take all");
            if growth > TOLERANCE {
                grown.push(kernel.name.clone());
            }
        } else if before.is_some() {
            line.push_str(", new");
            unknown.push(kernel.name.clone());
        }
        say(&line);
        now.insert(kernel.name, Value::Integer(count));
    }
    if save {
        baseline.insert(key, Value::Table(now));
        let text = format!("{HEADER}{baseline}");
        fs::write(BASELINE, text).map_err(|error| format!("{BASELINE}: {error}"))?;
        return Ok(true);
    }
    if before.is_none() {
        let known: Vec<&str> = baseline.keys().map(String::as_str).collect();
        let why = format!(
            "these are of {key}; benches/instructions.toml has [{}], `-- --save` adds this one",
            known.join("; ")
        );
        testkit::not_run("VALGRIND", "a comparison of instruction counts", &why);
    }
    if !unknown.is_empty() {
        let what = format!("a comparison of the instruction counts of {}", unknown.join("; "));
        testkit::not_run("VALGRIND", &what, "none were kept, `-- --save` keeps these");
    }
    if !grown.is_empty() {
        say(&format!(
            "over {:.0} % more instructions: {}; where that is meant, `-- --save` and say why in the commit",
            100.0 * TOLERANCE,
            grown.join("; ")
        ));
    }
    Ok(!check || grown.is_empty())
}

/// The function in which callgrind counts.
#[inline(never)]
fn counted(run: &mut dyn FnMut()) {
    let held = black_box(1);
    run();
    // Something to do afterwards, or the call would become a jump and the count go on.
    black_box(held);
}

/// The instructions of one run of the kernel of this name.
fn count(name: &str) -> Result<i64, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = folder.path().join("counts");
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*instructions*counted*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([RUN, name])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!(
            "{name}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    total(&out).ok_or_else(|| format!("{name}: callgrind counted nothing"))
}

/// The sum in a file of callgrind's.
fn total(file: &Path) -> Option<i64> {
    let text = fs::read_to_string(file).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals:"))?;
    total.trim().parse().ok().filter(|count| *count > 0)
}

/// The compiler and how it was called; cargo runs benchmarks with the toolchain that built them.
fn compiler() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("--version")
        .output()
        .map_err(|error| format!("rustc --version: {error}"))?;
    // Incremental builds are cut into smaller units, across which less is inlined.
    let incremental = match option_env!("CARGO_INCREMENTAL") {
        Some("1") => ", incremental",
        _ => "",
    };
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned() + incremental)
}

fn baseline() -> Result<Table, String> {
    let text = fs::read_to_string(BASELINE).unwrap_or_default();
    text.parse().map_err(|error| format!("{BASELINE}: {error}"))
}

/// The best vector unit that valgrind knows.
fn unit() -> Isa {
    let known = |isa: &Isa| !["avx512", "avx2-vnni"].contains(&isa.name());
    Isa::available().into_iter().find(known).expect("portable code")
}

struct Kernel {
    name: String,
    /// One run.
    run: Box<dyn FnMut()>,
    /// The amount of work of one run.
    work: f64,
    what: &'static str,
}

fn kernels(isa: Isa) -> Vec<Kernel> {
    let convolutions = [
        // Kernel, stride, channels.
        (Algorithm::Direct, (1, 1), (64, 256)),
        (Algorithm::Direct, (3, 1), (36, 36)),
        (Algorithm::Winograd, (3, 1), (36, 36)),
        (Algorithm::Direct, (3, 2), (18, 36)),
    ];
    let of_f32 = convolutions
        .into_iter()
        .map(|(algorithm, size, channels)| (Format::F32, 4, algorithm, size, channels));
    // What other formats and tiles have of their own: products, and transforms.
    let others = [
        (Format::F32, 2, Algorithm::Winograd, (3, 1), (36, 36)),
        (Format::F32, 4, Algorithm::Winograd, (3, 2), (18, 36)),
        (Format::F32, 4, Algorithm::DirectChannels, (3, 1), (36, 36)),
        (Format::F16, 4, Algorithm::Direct, (1, 1), (64, 256)),
        (Format::I16, 4, Algorithm::Direct, (1, 1), (64, 256)),
        (Format::I16, 4, Algorithm::Winograd, (3, 1), (36, 36)),
        (Format::Int8, 4, Algorithm::Direct, (1, 1), (64, 256)),
        (Format::Int8, 4, Algorithm::Direct, (3, 2), (18, 36)),
    ];
    let runs = |(format, _, algorithm, ..): &(Format, usize, Algorithm, _, _)| {
        isa.multiplies(*format).is_some() && (*algorithm != Algorithm::DirectChannels || isa.lanes() >= 8)
    };
    let mut kernels: Vec<Kernel> = of_f32
        .chain(others)
        .filter(runs)
        .map(|(format, p, algorithm, size, channels)| {
            convolution((isa, format, p), algorithm, size, channels)
        })
        .collect();
    kernels.push(resize(isa));
    kernels
}

/// One layer with weights on a map of 28x28 in tiles of `p`.
fn convolution(
    (isa, format, p): (Isa, Format, usize),
    algorithm: Algorithm,
    (kernel, stride): (usize, usize),
    (inputs, outputs): (usize, usize),
) -> Kernel {
    let grid = |side| Grid {
        n: 1,
        h: side,
        w: side,
        p,
        rows: Rows::Dense,
    };
    let layer = Layer {
        shape: ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
        },
        format,
        input: grid(28 * stride),
        output: grid(28),
        target: Target { isa, threads: 1 },
    };
    let from = Map {
        offset: 0,
        channels: format.elements(inputs),
        grid: layer.input,
    };
    let to = Map {
        offset: from.elements(),
        channels: outputs,
        grid: layer.output,
    };
    let conv = ConvParams {
        shape: layer.shape,
        format,
        algorithm,
        weights: vec![0.5; layer.shape.weights()],
        bias: vec![0.0; outputs],
        steps: [].into(),
        means: Vec::new(),
    };
    let mut builder = ProgramBuilder::new(layer.target);
    let pushed = builder.push(Op::Conv {
        conv,
        from,
        sum: None,
        adds: None,
        relu: true,
        to: Some(to),
        packs: None,
    });
    pushed.expect("a convolution that the unit computes");
    let mut program = builder.finish().expect("a program");
    Kernel {
        name: format!("{algorithm} {layer}"),
        run: Box::new(move || program.run(&[], &mut [])),
        work: (layer.shape.weights() * 28 * 28) as f64 / (isa.lanes() * format.channels()) as f64,
        what: "a vector multiply-add",
    }
}

/// A photo's short side to 256 pixels, of which the middle 224 are computed, as every preset does.
fn resize(isa: Isa) -> Kernel {
    let extent = |width, height| Extent { width, height };
    let window = Window {
        left: 58,
        top: 16,
        extent: extent(224, 224),
    };
    let geometry = Geometry {
        source: extent(640, 480),
        target: extent(341, 256),
        window,
    };
    let mut resizer = Resizer::on(Resampling::OpenCvLinear, isa);
    let source = vec![127_u8; 640 * 480 * 3];
    Kernel {
        name: "bilinear u8 640x480 -> 341x256, 224x224 of it".into(),
        run: Box::new(move || {
            resizer.run(geometry, &source, |_, row| {
                black_box(row);
            });
        }),
        work: (224 * 224) as f64,
        what: "a pixel",
    }
}

fn say(line: &str) {
    // Nobody reads any more, which is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}
