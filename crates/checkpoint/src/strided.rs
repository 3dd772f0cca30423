//! Elements by a place, a shape and strides: of a tensor in its storage, or of an array in another order of axes.

use bytes::Bytes;

/// The bytes of a tensor's elements, row-major: the storage's own where they lie in that order, else a copy.
///
/// `size` is an element's bytes; offset and strides count elements.
///
/// # Errors
/// If an element lies outside of the storage, or there are more than it has, so that some would be repeated.
pub(crate) fn elements(
    storage: &Bytes,
    size: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Result<Bytes, String> {
    if shape.len() != strides.len() {
        return Err(format!("{} strides for {} extents", strides.len(), shape.len()));
    }
    let held = storage.len() / size;
    let outside =
        || format!("shape {shape:?} with strides {strides:?} at {offset} in a storage of {held} elements");
    let count = shape
        .iter()
        .try_fold(1_usize, |product, extent| product.checked_mul(*extent));
    let count = count.filter(|count| *count <= held).ok_or_else(outside)?;
    if count == 0 {
        return Ok(Bytes::new());
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |last, (extent, stride)| {
            last.checked_add((extent - 1).checked_mul(*stride)?)
        });
    if last.is_none_or(|last| last >= held) {
        return Err(outside());
    }
    if is_row_major(shape, strides) {
        return Ok(storage.slice(offset * size..(offset + count) * size));
    }
    let mut gathered = Vec::with_capacity(count * size);
    gather(storage, size, offset, shape, strides, &mut gathered);
    Ok(gathered.into())
}

fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(extent, stride)| {
        let fits = *extent == 1 || *stride == expected;
        expected *= extent;
        fits
    })
}

/// Copies the elements from `offset` on, row-major; all of them lie in the storage.
fn gather(
    storage: &[u8],
    size: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
    gathered: &mut Vec<u8>,
) {
    let (Some((extent, shape)), Some((stride, strides))) = (shape.split_first(), strides.split_first())
    else {
        gathered.extend_from_slice(&storage[offset * size..][..size]);
        return;
    };
    for index in 0..*extent {
        gather(storage, size, offset + index * stride, shape, strides, gathered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ten(offset: usize, shape: &[usize], strides: &[usize]) -> Result<Vec<u8>, String> {
        let storage = Bytes::from_static(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        elements(&storage, 1, offset, shape, strides).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn elements_are_taken_by_strides() {
        assert_eq!(of_ten(2, &[2, 3], &[3, 1]), Ok(vec![2, 3, 4, 5, 6, 7]));
        assert_eq!(of_ten(2, &[3, 2], &[1, 3]), Ok(vec![2, 5, 3, 6, 4, 7]));
        assert_eq!(of_ten(1, &[2, 1, 2], &[4, 99, 2]), Ok(vec![1, 3, 5, 7]));
        assert_eq!(of_ten(9, &[], &[]), Ok(vec![9]));
        assert_eq!(of_ten(0, &[0, 1 << 62], &[1, 1]), Ok(vec![]));
        let storage = Bytes::from_static(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let pairs = elements(&storage, 2, 1, &[2], &[2]).expect("pairs");
        assert_eq!(pairs.as_ref(), [2, 3, 6, 7]);
    }

    #[test]
    fn elements_outside_of_the_storage_are_refused() {
        for (offset, shape, strides) in [
            (10, vec![], vec![]),
            (5, vec![2, 3], vec![3, 1]),
            (0, vec![2], vec![10]),
            (0, vec![11], vec![0]),
            (0, vec![usize::MAX, 2], vec![0, 0]),
            (0, vec![2, 2], vec![usize::MAX, 1]),
            (usize::MAX, vec![2], vec![1]),
        ] {
            let error = of_ten(offset, &shape, &strides).expect_err("outside");
            assert!(error.contains("in a storage of 10 elements"), "{error}");
        }
        assert!(of_ten(0, &[1], &[]).is_err());
    }
}
