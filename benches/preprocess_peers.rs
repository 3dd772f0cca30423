//! `PYTHON=python cargo bench --bench preprocess_peers`: decoding and preparing a photo of 500 x 375 and one of
//! 4000 x 3000, ours and OpenCV's, Pillow's and torchvision's in turns, one thread each, the fastest of all runs.
//!
//! The Python must have `opencv-python-headless`, `pillow` and `numpy`, and may have `torchvision`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::Stopwatch;
use preprocess::{Filter, Profile, Reader, RgbImage, Transform, decode_into};

const ROUNDS: usize = 3;

/// Milliseconds to decode, and to prepare, of each photo and library.
type Times = BTreeMap<(String, String), (f64, f64)>;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo's tests only ask whether it runs.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let Some(python) = std::env::var_os("PYTHON") else {
        writeln!(stdout(), "PYTHON names no interpreter: nothing to compare with")?;
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let mut times = Times::new();
    for _ in 0..ROUNDS {
        theirs(Path::new(&python), folder.path(), &mut times)?;
        ours(folder.path(), &mut times)?;
    }
    writeln!(
        stdout(),
        "| photo | library | decode, ms | resize, crop, normalise, ms |\n|---|---|---|---|"
    )?;
    for ((photo, library), (decode, prepare)) in &times {
        writeln!(stdout(), "| {photo} | {library} | {decode:.2} | {prepare:.3} |")?;
    }
    Ok(())
}

fn keep(times: &mut Times, photo: &str, library: &str, decode: f64, prepare: f64) {
    let key = (photo.to_owned(), library.to_owned());
    let best = times.entry(key).or_insert((decode, prepare));
    *best = (best.0.min(decode), best.1.min(prepare));
}

fn theirs(python: &Path, folder: &Path, times: &mut Times) -> Result<(), Box<dyn Error>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/preprocess_peers.py");
    let output = Command::new(python).arg(script).arg(folder).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let [photo, library, decode, prepare] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("expected four words, found `{line}`").into());
        };
        keep(times, photo, library, decode.parse()?, prepare.parse()?);
    }
    Ok(())
}

fn ours(folder: &Path, times: &mut Times) -> Result<(), Box<dyn Error>> {
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    for photo in ["small", "large"] {
        let bytes = std::fs::read(folder.join(format!("{photo}.jpg")))?;
        for (name, profile, reader) in [
            ("ours, paddle", Profile::Paddle, Reader::OpenCv),
            ("ours, timm", Profile::Timm(Filter::Bilinear), Reader::Pillow),
        ] {
            let mut image = RgbImage::default();
            let mut failed = None;
            let decode = best_ms(|| failed = decode_into(&bytes, reader, &mut image).err());
            if let Some(error) = failed {
                return Err(error.into());
            }
            let transform = Transform::new(256, 224, profile, mean, std)?;
            let mut worker = transform.worker::<f32>();
            let mut out = vec![0.0; transform.output_elements()];
            let prepare = best_ms(|| worker.image(std::hint::black_box(&image), &mut out));
            keep(times, photo, name, decode, prepare);
        }
    }
    Ok(())
}

fn best_ms(mut work: impl FnMut()) -> f64 {
    let whole = Stopwatch::start();
    let mut best = f64::INFINITY;
    while whole.elapsed() < Duration::from_secs(1) {
        let one = Stopwatch::start();
        work();
        best = best.min(one.elapsed().as_secs_f64() * 1e3);
    }
    best
}
