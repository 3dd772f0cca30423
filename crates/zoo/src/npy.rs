use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use npyz::{DType, NpyFile, Order, WriterBuilder};

use crate::{Exit, Failure};

/// A NumPy array of f32, row-major.
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Reads an array of little-endian f32 in C order.
pub(crate) fn read(path: &Path) -> Result<Array, Failure> {
    let invalid = |why: String| Failure::new(Exit::Other, format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let array =
        NpyFile::new(BufReader::new(file)).map_err(|error| invalid(format!("not a NumPy file: {error}")))?;
    if array.order() != Order::C {
        return Err(invalid(
            "Fortran order; save it with numpy.ascontiguousarray".into(),
        ));
    }
    let float32 = matches!(array.dtype(), DType::Plain(kind) if matches!(kind.to_string().as_str(), "<f4" | "|f4" | "=f4"));
    if !float32 {
        let found = array.dtype().descr();
        return Err(invalid(format!(
            "expected dtype float32 (`<f4`), found {found}; convert it with .astype(numpy.float32)"
        )));
    }
    let shape = array.shape().iter().map(|extent| *extent as usize).collect();
    let values = array
        .into_vec::<f32>()
        .map_err(|error| invalid(error.to_string()))?;
    Ok(Array { shape, values })
}

/// Writes an array of f32 to a temporary file beside `path` and renames it, so that no half file is ever seen.
pub(crate) fn write(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), Failure> {
    let partial = path.with_extension("npy.partial");
    let extents: Vec<u64> = shape.iter().map(|extent| *extent as u64).collect();
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&partial)?);
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&extents)
            .writer(&mut file)
            .begin_nd()?;
        writer.extend(values.iter().copied())?;
        writer.finish()?;
        file.flush()?;
        file.get_ref().sync_all()?;
        std::fs::rename(&partial, path)
    };
    write().map_err(|error| {
        // The partial file is of no use; that it cannot be removed is not what failed.
        let _ = std::fs::remove_file(&partial);
        Failure::file(path, &error)
    })
}
