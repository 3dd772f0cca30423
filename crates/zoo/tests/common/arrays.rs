//! NumPy arrays that tests write and read.

use std::path::Path;

use npyz::WriterBuilder;

/// The shape and the values of a `.npy` file.
pub fn read(path: &Path) -> (Vec<u64>, Vec<f32>) {
    let file = npyz::NpyFile::new(std::fs::File::open(path).expect("the file")).expect("a NumPy file");
    (file.shape().to_vec(), file.into_vec().expect("float32"))
}

/// Writes a `.npy` file of this shape, with values between -0.5 and 0.5.
pub fn write(path: &Path, shape: &[u64]) {
    write_with(path, shape, &[]);
}

/// The same with these values at these places.
pub fn write_with(path: &Path, shape: &[u64], odd: &[(u64, f32)]) {
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(file)
        .begin_nd()
        .expect("begun");
    let odd = |i: u64| {
        odd.iter()
            .find_map(|(place, value)| (*place == i).then_some(*value))
    };
    let values = (0..shape.iter().product()).map(|i| odd(i).unwrap_or((i % 7) as f32 / 7.0 - 0.5));
    writer.extend(values).expect("written");
    writer.finish().expect("finished");
}

/// The arrays of a `.npz` file, whose members lie in it as they are.
pub fn read_archive(path: &Path) -> Vec<(String, Vec<u64>, Vec<f32>)> {
    let bytes = std::fs::read(path).expect("the archive");
    let number = |at: usize, length: usize| {
        let bytes = bytes[at..at + length].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let (mut at, mut arrays) = (0, Vec::new());
    while bytes[at..].starts_with(b"PK\x03\x04") {
        assert_eq!(
            (number(at + 6, 2) & 8, number(at + 8, 2)),
            (0, 0),
            "sizes first, nothing compressed"
        );
        let (size, name, extra) = (number(at + 22, 4), number(at + 26, 2), number(at + 28, 2));
        let begin = at + 30 + name + extra;
        let array = npyz::NpyFile::new(&bytes[begin..begin + size]).expect("an array");
        let name = String::from_utf8(bytes[at + 30..at + 30 + name].to_vec()).expect("a name");
        let name = name.strip_suffix(".npy").expect("numpy's ending").to_owned();
        arrays.push((name, array.shape().to_vec(), array.into_vec().expect("float32")));
        at = begin + size;
    }
    arrays
}
