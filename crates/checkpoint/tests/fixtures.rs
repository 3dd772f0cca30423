//! Genuine weight files of a tiny HRNet, written by PaddlePaddle 3.3.1, NumPy 1.26 and safetensors, read to exactly
//! the values that were put in. Python 2's alone is put together by hand; `fixtures/make_fixtures.py` tells how.

mod common;

use checkpoint::{CheckpointError, Dtype, Format, Naming, Tensor, TensorFile, load, read};
use common::{assert_seeded, fixture, graph, param, plain};
use hrnet::{HrnetSpec, SeededWeights, Shape, WeightSource};

#[test]
fn paddle_files_of_every_protocol_hold_the_seeded_values() {
    for name in ["protocol2.pdparams", "protocol3.pdparams", "protocol4.pdparams"] {
        let file = read(&fixture(name)).expect(name);
        assert_eq!(
            (file.format, file.naming().expect(name)),
            (Format::Pdparams, Naming::Paddle)
        );
        assert!(file.tensors.values().all(|tensor| tensor.dtype == Dtype::F32));
        assert!(!file.tensors.contains_key("StructuredToParameterName@@"));
        let graph = plain();
        assert_seeded(&file.bind(&graph).expect(name), &graph, &[]);
    }
}

#[test]
fn squeeze_and_excitation_is_read_with_its_matrices_transposed() {
    let graph = graph(16, Some(16));
    let weights = load(&fixture("se.pdparams"), &graph).expect("the file");
    assert_eq!(
        graph
            .params()
            .filter(|param| param.name().contains(".se."))
            .count(),
        5 * 4
    );
    assert_seeded(&weights, &graph, &[]);
}

#[test]
fn numpy_1_and_python_2_files_are_read() {
    let numpy1 = read(&fixture("numpy1.pdparams")).expect("the file");
    let paddle = read(&fixture("protocol4.pdparams")).expect("the file");
    assert_eq!(numpy1.tensors.len(), 20);
    assert!(
        numpy1
            .tensors
            .iter()
            .all(|(name, tensor)| paddle.tensors[name] == *tensor)
    );

    let python2 = read(&fixture("python2.pdparams")).expect("the file").tensors;
    assert_eq!(
        (python2["a"].shape.as_slice(), python2["a"].values().as_ref()),
        ([2].as_slice(), [1.5, -2.0].as_slice())
    );
    assert_eq!(
        (python2["b"].shape.as_slice(), python2["b"].values().as_ref()),
        ([2, 1].as_slice(), [3.0, 0.25].as_slice())
    );
}

#[test]
fn name_and_array_pairs_are_read_and_notes_passed_over() {
    let pair = read(&fixture("pair.pdparams")).expect("the file").tensors;
    assert_eq!(pair.keys().collect::<Vec<_>>(), ["fc.bias"]);
    assert_eq!(
        pair["fc.bias"],
        read(&fixture("protocol4.pdparams")).expect("the file").tensors["fc.bias"]
    );
}

#[test]
fn older_names_of_paddles_are_known() {
    for (name, naming) in [
        ("paddle2020.pdparams", Naming::Paddle2020),
        ("paddle_static.pdparams", Naming::PaddleStatic),
    ] {
        let file = read(&fixture(name)).expect(name);
        assert_eq!(
            (file.format, file.naming().expect(name)),
            (Format::Pdparams, naming)
        );
        let graph = plain();
        assert_seeded(&file.bind(&graph).expect(name), &graph, &[]);
    }
}

#[test]
fn split_tensors_are_joined() {
    let split = read(&fixture("split.pdparams")).expect("the file").tensors;
    let whole = read(&fixture("protocol2.pdparams")).expect("the file").tensors;
    let names = [
        "fc.bias",
        "layer1.0.conv1.conv.weight",
        "layer1.0.conv2.conv.weight",
    ];
    assert_eq!(split.keys().collect::<Vec<_>>(), names);
    for name in names {
        assert_eq!(split[name], whole[name], "{name}");
    }
}

#[test]
fn timm_files_have_their_head_biases_folded() {
    let graph = plain();
    let file = read(&fixture("timm.safetensors")).expect("the file");
    assert_eq!(
        (file.format, file.naming().expect("timm")),
        (Format::Safetensors, Naming::Timm)
    );
    assert_eq!(file.tensors["bn1.num_batches_tracked"].dtype, Dtype::I64);
    let biases = file.tensors.clone();
    let weights = file.bind(&graph).expect("timm's tensors");
    let folded = [
        ("downsamp_modules.0.0.bias", "downsamp_modules.0.1.running_mean"),
        ("final_layer.0.bias", "final_layer.1.running_mean"),
    ];
    assert_seeded(&weights, &graph, &folded.map(|(_, mean)| mean));
    for (bias, mean) in folded {
        let mean = param(&graph, mean);
        let seeded = SeededWeights::new(0);
        let unfolded = seeded.load(&mean).expect("seeded");
        let expected: Vec<f32> = unfolded
            .iter()
            .zip(biases[bias].values().iter())
            .map(|(mean, bias)| mean - bias)
            .collect();
        assert_ne!(unfolded.as_ref(), expected);
        assert_eq!(weights.load(&mean).expect("in the file").as_ref(), expected);
    }
}

#[test]
fn tensors_that_are_not_the_networks_are_listed() {
    let error = load(&fixture("protocol4.pdparams"), &graph(8, Some(8)))
        .expect_err("no SE in the file")
        .to_string();
    assert!(
        error
            .contains("142 tensors expected, 122 found: 20 missing (layer1.0.se.fc_squeeze.weight [16, 2]; "),
        "{error}"
    );
    assert!(
        error.contains("protocol4.pdparams") && error.contains("Paddle names"),
        "{error}"
    );
    let error = load(&fixture("se.pdparams"), &graph(16, None))
        .expect_err("SE in the file")
        .to_string();
    assert!(
        error.contains("20 not expected (last_cls.func_list.0.se.fc_excitation.bias [16]"),
        "{error}"
    );
    let wide = HrnetSpec::imagenet([18, 36, 72, 144])
        .graph(Shape::square(1, 32))
        .expect("a graph");
    let error = load(&fixture("protocol4.pdparams"), &wide)
        .expect_err("another network")
        .to_string();
    assert!(
        error.contains("conv_layer1_1.conv.weight is [4, 3, 3, 3], expected [64, 3, 3, 3]"),
        "{error}"
    );
}

#[test]
fn unknown_names_are_told_with_what_is_known() {
    let error = load(&fixture("python2.pdparams"), &plain())
        .expect_err("no HRNet")
        .to_string();
    assert!(
        error.contains(
            "names such as `a`, `b`; expected `conv_layer1_1.conv.weight` (Paddle) or `conv_layer1_1._conv.weight` \
             (Paddle of 2020) or `layer1_1_weights` (static Paddle) or `conv1.weight` (timm) or \
             `backbone.conv1.weight` (mmpretrain)"
        ),
        "{error}"
    );
}

/// Binds a timm file after a change of its tensors.
fn bind_changed(change: impl Fn(&mut TensorFile)) -> Result<(), CheckpointError> {
    let mut file = read(&fixture("timm.safetensors")).expect("the file");
    change(&mut file);
    file.bind(&plain()).map(|_| ())
}

#[test]
fn all_differences_are_in_one_error() {
    assert!(bind_changed(|_| ()).is_ok());
    let error = bind_changed(|file| {
        file.tensors.remove("bn2.bias");
        file.tensors.get_mut("classifier.bias").expect("a bias").shape = vec![1, 5];
        file.tensors.get_mut("bn1.weight").expect("a weight").dtype = Dtype::I64;
        let stray = file.tensors["conv1.weight"].clone();
        file.tensors.insert("conv9.weight".into(), stray);
    });
    let error = error.expect_err("four differences").to_string();
    assert!(
        error.ends_with(
            "(timm names): 122 tensors expected, 124 found: 1 missing (bn2.bias [4]), 1 of another shape \
             (classifier.bias is [1, 5], expected [5]), 1 of integers (bn1.weight), 1 not expected (conv9.weight \
             [4, 3, 3, 3])"
        ),
        "{error}"
    );
}

#[test]
fn a_bias_that_fits_no_mean_is_not_folded() {
    for (name, shape) in [
        ("final_layer.0.bias", vec![7]),
        ("downsamp_modules.1.0.bias", vec![8]),
        ("conv1.bias", vec![4]),
    ] {
        let bias = Tensor::from_values(shape.clone(), &vec![0.5; shape[0]]);
        let error = bind_changed(|file| drop(file.tensors.insert(name.into(), bias.clone())));
        let error = error.expect_err(name).to_string();
        assert!(
            error.contains(&format!("1 not expected ({name} {shape:?})")),
            "{error}"
        );
    }
}
