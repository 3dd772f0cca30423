use crate::engine::matrix::MatrixUnit;

/// The instruction sets of this CPU that matter to numeric kernels, found at run time, by their usual names.
pub fn cpu_features() -> Vec<&'static str> {
    let matrix = MatrixUnit::hardware().is_ok();
    all()
        .into_iter()
        .chain([("amx-int8", matrix), ("amx-bf16", matrix)])
        .filter_map(|(name, present)| present.then_some(name))
        .collect()
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn all() -> Vec<(&'static str, bool)> {
    macro_rules! detect {
        ($($name:tt),*) => { vec![$(($name, std::arch::is_x86_feature_detected!($name))),*] };
    }
    detect![
        "sse4.1",
        "avx",
        "f16c",
        "avx2",
        "fma",
        "avxvnni",
        "avx512f",
        "avx512bw",
        "avx512dq",
        "avx512vl",
        "avx512vnni",
        "avx512bf16",
        "avx512fp16",
        "sha"
    ]
}

#[cfg(target_arch = "aarch64")]
fn all() -> Vec<(&'static str, bool)> {
    macro_rules! detect {
        ($($name:tt),*) => { vec![$(($name, std::arch::is_aarch64_feature_detected!($name))),*] };
    }
    detect!["neon", "fp16", "dotprod", "bf16", "i8mm", "sve", "sve2", "sha2"]
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn all() -> Vec<(&'static str, bool)> {
    Vec::new()
}
