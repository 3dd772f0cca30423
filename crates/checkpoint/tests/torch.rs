//! Genuine `.pth` files, written by PyTorch 2.15 in both of its formats, read to exactly the values that were put in.

mod common;

use checkpoint::{Dtype, Format, Naming, TensorFile, read};
use common::{assert_seeded, fixture, plain};
use half::f16;
use hrnet::{SeededWeights, WeightSource};

fn file(name: &str) -> TensorFile {
    read(&fixture(name)).expect(name)
}

/// The means that timm's head biases are folded into.
const FOLDED: [&str; 2] = ["downsamp_modules.0.1.running_mean", "final_layer.1.running_mean"];

#[test]
fn state_dicts_of_both_formats_hold_the_seeded_values() {
    let graph = plain();
    let safetensors = file("timm.safetensors").bind(&graph).expect("timm's tensors");
    // The legacy file is a training script's: wrapped, with notes and an optimizer, every name after `module.`.
    for (name, format) in [("timm.pth", Format::Pth), ("timm_legacy.pth", Format::PthLegacy)] {
        let file = file(name);
        assert_eq!((file.format, file.naming().expect(name)), (format, Naming::Timm));
        let prefixed = file.tensors.keys().all(|key| key.starts_with("module."));
        assert_eq!(prefixed, name == "timm_legacy.pth");
        let weights = file.bind(&graph).expect(name);
        assert_seeded(&weights, &graph, &FOLDED);
        for param in graph
            .params()
            .filter(|param| FOLDED.contains(&param.name().as_str()))
        {
            let expected = safetensors.load(&param).expect("in safetensors");
            assert_eq!(weights.load(&param).expect("in the file"), expected, "{name}");
        }
    }
}

#[test]
fn half_precision_is_read_as_it_was_rounded() {
    let graph = plain();
    let file = file("timm_half.pth");
    assert_eq!(file.tensors["conv1.weight"].dtype, Dtype::F16);
    let weights = file.bind(&graph).expect("timm's tensors");
    let seeded = SeededWeights::new(0);
    for param in graph
        .params()
        .filter(|param| !FOLDED.contains(&param.name().as_str()))
    {
        let expected: Vec<f32> = seeded
            .load(&param)
            .expect("seeded")
            .iter()
            .map(|value| f16::from_f32(*value).to_f32())
            .collect();
        assert_eq!(weights.load(&param).expect("in the file").as_ref(), expected);
    }
}

#[test]
fn openmmlabs_names_are_known() {
    let graph = plain();
    let file = file("mmpretrain.pth");
    assert_eq!(file.naming().expect("a scheme"), Naming::Mmpretrain);
    assert_seeded(&file.bind(&graph).expect("OpenMMLab's tensors"), &graph, &[]);
}

#[test]
fn every_kind_of_tensor_is_read_in_both_formats() {
    let number = |value: usize| f32::from(u8::try_from(value).expect("a small number"));
    let all: Vec<f32> = (0..24).map(number).collect();
    let transposed: Vec<f32> = (0..24).map(|i| number(i % 4 * 6 + i / 4)).collect();
    for name in ["kinds.pth", "kinds_legacy.pth"] {
        let tensors = file(name).tensors;
        for (tensor, dtype, shape, values) in [
            ("double", Dtype::F64, vec![4, 6], &all[..]),
            ("half", Dtype::F16, vec![4, 6], &all),
            ("bfloat16", Dtype::Bf16, vec![4, 6], &all),
            ("long", Dtype::I64, vec![4, 6], &[]),
            ("whole", Dtype::F32, vec![4, 6], &all),
            ("rows", Dtype::F32, vec![2, 6], &all[6..18]),
            ("transposed", Dtype::F32, vec![6, 4], &transposed),
            ("steps", Dtype::F32, vec![2, 2], &[6.0, 9.0, 18.0, 21.0]),
            ("channels_last", Dtype::F32, vec![1, 2, 3, 4], &all),
            ("scalar", Dtype::F32, vec![], &[7.0]),
            ("parameter", Dtype::F32, vec![4, 6], &all),
            ("empty", Dtype::F32, vec![0, 3], &[]),
        ] {
            let found = &tensors[tensor];
            assert_eq!((found.dtype, &found.shape), (dtype, &shape), "{name}: {tensor}");
            assert_eq!(found.values().as_ref(), values, "{name}: {tensor}");
        }
        assert_eq!(tensors.len(), 12);
    }
}

#[test]
fn what_weights_do_not_need_is_refused_by_name() {
    for (name, reason) in [
        ("code", "its keys: `epoch`, `a`, made by `posix.system`"),
        (
            "complex_legacy",
            "tensor `a`: numbers of `torch.ComplexFloatStorage`, which are not read",
        ),
        (
            "module",
            "the pickle holds what `torch.nn.modules.batchnorm.BatchNorm2d` makes and no dictionary of tensors",
        ),
        (
            "compressed",
            "ZIP entry `kinds/data.pkl`: compressed or encrypted",
        ),
        (
            "expanded",
            "tensor `a`: shape [3, 4, 6] with strides [0, 6, 1] at 0 in a storage of 24 elements",
        ),
    ] {
        let name = format!("refused_{name}.pth");
        let error = read(&fixture(&name)).expect_err(&name).to_string();
        assert!(error.contains(&name) && error.contains(reason), "{error}");
    }
}

#[test]
fn integers_are_told_and_wrappers_of_any_name_are_looked_into() {
    let integers = file("int.pth");
    assert_eq!(
        (integers.tensors["a"].dtype, integers.tensors["a"].values().len()),
        (Dtype::I32, 0)
    );
    let wrapped = file("wrapper.pth");
    assert_eq!(
        (wrapped.set.as_deref(), wrapped.tensors["a"].elements()),
        (Some("net"), 24)
    );
}
