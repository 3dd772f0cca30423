use std::io::BufReader;
use std::path::Path;

use npyz::{DType, NpyFile, Order, WriterBuilder};

use crate::{Exit, Failure, files};

/// A NumPy array of f32, row-major.
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Reads an array of little-endian f32 in C order.
pub(crate) fn read(path: &Path) -> Result<Array, Failure> {
    let invalid = |why: String| Failure::new(Exit::Other, format!("{}: {why}", path.display()));
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let file = ::files::open_file(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
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
    let shape: Vec<usize> = array.shape().iter().map(|extent| *extent as usize).collect();
    let elements = shape
        .iter()
        .try_fold(1_usize, |all, extent| all.checked_mul(*extent));
    let elements = elements.filter(|elements| *elements as u64 <= bytes / 4);
    let elements = elements.ok_or_else(|| {
        invalid(format!(
            "its header says {shape:?}, but the file has {bytes} bytes"
        ))
    })?;
    let mut values = Vec::new();
    values
        .try_reserve_exact(elements)
        .map_err(|_| invalid(format!("no memory for {elements} values")))?;
    for value in array.data::<f32>().map_err(|error| invalid(error.to_string()))? {
        values.push(value.map_err(|error| invalid(error.to_string()))?);
    }
    Ok(Array { shape, values })
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
