use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use npyz::{DType, NpyFile, Order, WriterBuilder};

use crate::{Exit, Failure, files};

/// Returns the shape of an array without reading its values.
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

/// The failure of an array that no network can take, whatever is wrong with it.
fn invalid(path: &Path, why: &dyn fmt::Display) -> Failure {
    Failure::new(Exit::Usage, format!("{}: {why}", path.display()))
}

/// Opens an array of little-endian f32 in C order; its file is long enough for all values.
fn open(path: &Path) -> Result<NpyFile<BufReader<File>>, Failure> {
    let failed = |error: io::Error| Failure::file(path, &error);
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

/// An array of f32 to write.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    name: &'a str,
    shape: Vec<usize>,
    values: &'a [f32],
}

impl<'a> Array<'a> {
    /// Returns the array with this name and shape; values are row-major.
    pub(crate) fn new(name: &'a str, shape: &[usize], values: &'a [f32]) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            values,
        }
    }

    /// Returns the bytes of the array's `.npy` file.
    fn encode(&self) -> io::Result<Vec<u8>> {
        let extents: Vec<u64> = self.shape.iter().map(|extent| *extent as u64).collect();
        let mut bytes = Vec::with_capacity(self.values.len() * 4 + 128);
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&extents)
            .writer(&mut bytes)
            .begin_nd()?;
        writer.extend(self.values.iter().copied())?;
        writer.finish()?;
        Ok(bytes)
    }
}

impl fmt::Display for Array<'_> {
    /// `logits [1, 1000]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.shape)
    }
}

/// Writes an array as a `.npy` file, whole or not at all.
pub(crate) fn write(path: &Path, array: &Array<'_>) -> Result<(), Failure> {
    let bytes = array.encode().map_err(|error| Failure::file(path, &error))?;
    files::write_whole(path, &bytes)
}

/// Writes arrays under their names as a `.npz` file, whole or not at all.
pub(crate) fn write_archive(path: &Path, arrays: &[Array<'_>]) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let members = arrays
            .iter()
            .map(|array| Ok((format!("{}.npy", array.name), array.encode()?)));
        let members: Vec<_> = members.collect::<io::Result<_>>()?;
        checkpoint::write_zip(::files::Whole::output(path)?, members)?.publish()
    };
    write().map_err(|error| Failure::file(path, &error))
}
