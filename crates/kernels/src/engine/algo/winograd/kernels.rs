//! Kernels `g` as `G g G^T`.

use crate::engine::simd::{Simd, Work};

/// Kernels on their way to [`Winograd::packed`](super::Winograd::packed).
pub(in crate::engine) struct Packing<'a> {
    /// `[outputs][inputs]`.
    pub(in crate::engine) kernels: &'a [[f32; 9]],
    pub(in crate::engine) inputs: usize,
    pub(in crate::engine) rows: usize,
    pub(in crate::engine) out: &'a mut [f32],
}

/// `G g G^T` of every kernel `g`, for this `G`, computed in f64.
pub(in crate::engine) struct Transformed<'a, const N: usize>(
    pub(in crate::engine) &'static [[f64; 3]; N],
    pub(in crate::engine) Packing<'a>,
);

/// Kernels that are transformed together: what the compiler makes vectors of.
const LANES: usize = 8;

impl<S: Simd, const N: usize> Work<S> for Transformed<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run(self, _: S) {
        let Self(g, packing) = self;
        let (inputs, rows) = (packing.inputs, packing.rows);
        let block = N * N * inputs * rows;
        for (index, out) in packing.out.chunks_exact_mut(block).enumerate() {
            for input in 0..inputs {
                for first in (0..rows).step_by(LANES) {
                    let count = LANES.min(rows - first);
                    let mut kernels = [[0.0; LANES]; 9];
                    for lane in 0..count {
                        let output = index * rows + first + lane;
                        if let Some(kernel) = packing.kernels.get(output * inputs + input) {
                            for tap in 0..9 {
                                kernels[tap][lane] = f64::from(kernel[tap]);
                            }
                        }
                    }
                    transform(g, &kernels, |element, values| {
                        let at = (element * inputs + input) * rows + first;
                        out[at..at + count].copy_from_slice(&values[..count]);
                    });
                }
            }
        }
    }
}

/// Gives each element of the transformed kernels, row by row.
#[inline(always)]
fn transform<const N: usize>(
    g: &[[f64; 3]; N],
    kernels: &[[f64; LANES]; 9],
    mut put: impl FnMut(usize, [f32; LANES]),
) {
    for i in 0..N {
        let mut half = [[0.0; LANES]; 3];
        for x in 0..3 {
            for lane in 0..LANES {
                let [a, b, c] = [kernels[x][lane], kernels[3 + x][lane], kernels[6 + x][lane]];
                half[x][lane] = g[i][0] * a + g[i][1] * b + g[i][2] * c;
            }
        }
        for j in 0..N {
            let mut values = [0.0; LANES];
            for lane in 0..LANES {
                let [a, b, c] = [half[0][lane], half[1][lane], half[2][lane]];
                values[lane] = (g[j][0] * a + g[j][1] * b + g[j][2] * c) as f32;
            }
            put(i * N + j, values);
        }
    }
}
