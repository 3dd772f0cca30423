use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use npyz::{DType, NpyFile, Order, WriterBuilder};

use crate::{Exit, Failure, files};

/// The shape of an array, which is not read.
pub(crate) fn shape(path: &Path) -> Result<Vec<usize>, Failure> {
    let array = open(path)?;
    Ok(array.shape().iter().map(|extent| *extent as usize).collect())
}

/// Reads the values of an array of little-endian f32 in C order, row-major.
pub(crate) fn read(path: &Path) -> Result<Vec<f32>, Failure> {
    let array = open(path)?;
    let elements = array.shape().iter().product::<u64>() as usize;
    let mut values = Vec::new();
    values.try_reserve_exact(elements).map_err(|_| {
        Failure::new(
            Exit::Memory,
            format!("{}: no memory for {elements} values", path.display()),
        )
    })?;
    for value in array.data::<f32>().map_err(|error| invalid(path, &error))? {
        values.push(value.map_err(|error| invalid(path, &error))?);
    }
    Ok(values)
}

fn invalid(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Other, format!("{}: {why}", path.display()))
}

/// An array of little-endian f32 in C order, all of whose values are there and yet to be read.
fn open(path: &Path) -> Result<NpyFile<BufReader<File>>, Failure> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let file = ::files::open_file(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let array = NpyFile::new(BufReader::new(file))
        .map_err(|error| invalid(path, &format!("not a NumPy file: {error}")))?;
    if array.order() != Order::C {
        return Err(invalid(
            path,
            &"Fortran order; save it with numpy.ascontiguousarray",
        ));
    }
    let float32 = matches!(array.dtype(), DType::Plain(kind) if matches!(kind.to_string().as_str(), "<f4" | "|f4" | "=f4"));
    if !float32 {
        let found = array.dtype().descr();
        let what =
            format!("expected dtype float32 (`<f4`), found {found}; convert it with .astype(numpy.float32)");
        return Err(invalid(path, &what));
    }
    let shape = array.shape();
    let elements = shape
        .iter()
        .try_fold(1_u64, |all, extent| all.checked_mul(*extent));
    if elements.is_none_or(|elements| elements > bytes / 4) {
        let what = format!("its header says {shape:?}, but the file has {bytes} bytes");
        return Err(invalid(path, &what));
    }
    Ok(array)
}

/// Writes an array of f32, whole or not at all.
pub(crate) fn write(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), Failure> {
    let extents: Vec<u64> = shape.iter().map(|extent| *extent as u64).collect();
    let encode = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(values.len() * 4 + 128);
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&extents)
            .writer(&mut bytes)
            .begin_nd()?;
        writer.extend(values.iter().copied())?;
        writer.finish()?;
        Ok(bytes)
    };
    let bytes = encode().map_err(|error| Failure::file(path, &error))?;
    files::write_whole(path, &bytes)
}
