//! Arrays to logits and feature maps.

use npyz::WriterBuilder;

use crate::common::{Place, arrays};

const SEEDED: [&str; 2] = ["--weights", "seeded:0"];

#[test]
fn infer_writes_logits_and_refuses_other_sizes() {
    let place = Place::new();
    arrays::write(&place.path().join("x.npy"), &[2, 3, 64, 96]);
    arrays::write(&place.path().join("odd.npy"), &[1, 3, 60, 64]);
    let infer = |input: &str| place.infer("HRNet_W18_C", [input, "y.npy"], &SEEDED);
    let error = infer("odd.npy").failed(2);
    assert!(error.contains("32"), "{error}");
    assert!(!place.path().join("y.npy").exists());
    infer("x.npy").good();
    let (shape, logits) = arrays::read(&place.path().join("y.npy"));
    assert_eq!(shape, [2, 1000]);
    assert!(logits.iter().all(|logit| logit.is_finite()));
    assert_eq!(place.files(), ["odd.npy", "x.npy", "y.npy"]);
}

/// A ReLU would make 0 of a NaN, and the logits would be numbers that mean nothing.
#[test]
fn infer_refuses_what_is_not_finite_and_says_where_it_is() {
    let place = Place::new();
    // Image 1, channel 2, row 5, column 70 of `[2, 3, 64, 96]`, and a later one.
    let first = ((3 + 2) * 64 + 5) * 96 + 70;
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        arrays::write_with(
            &place.path().join("x.npy"),
            &[2, 3, 64, 96],
            &[(first, odd), (first + 1, f32::NAN)],
        );
        for more in [
            &[][..],
            &["--backend", "candle"],
            &["--at", "conv1"],
            &["--precision", "int8"],
        ] {
            let error = place.infer("HRNet_W18_C", ["x.npy", "y.npy"], &[&SEEDED, more].concat());
            let error = error.failed(2);
            let told = format!("x.npy: image 1 is not finite: {odd} in channel 2, row 5, column 70");
            assert!(error.contains(&told), "{more:?}: {error}");
            assert!(!place.path().join("y.npy").exists());
        }
    }
}

#[test]
fn infer_writes_the_features_of_a_node() {
    let place = Place::new();
    arrays::write(&place.path().join("x.npy"), &[1, 3, 64, 64]);
    let at = |node: &str| {
        place.infer(
            "HRNet_W18_C",
            ["x.npy", "y.npy"],
            &[&SEEDED[..], &["--at", node]].concat(),
        )
    };
    let error = at("stage4.2.fuse_layers.3.rel").failed(4);
    assert!(
        error.contains("did you mean `stage4.2.fuse_layers.3.relu`?"),
        "{error}"
    );
    at("stage4.2.fuse_layers.1.relu").good();
    let (shape, values) = arrays::read(&place.path().join("y.npy"));
    assert_eq!(shape, [1, 36, 8, 8]);
    assert!(values.iter().all(|value| *value >= 0.0) && values.iter().any(|value| *value > 0.0));
    let module = at("incre_modules.0").failed(4);
    assert!(
        module.contains("did you mean `incre_modules.0.0.relu`"),
        "{module}"
    );
}

#[test]
fn infer_writes_a_pyramid_of_one_pass_under_names() {
    let place = Place::new();
    arrays::write(&place.path().join("x.npy"), &[1, 3, 64, 64]);
    let infer = |output: &str, more: &[&str]| {
        place.infer("hrnet_w18_small", ["x.npy", output], &[&SEEDED, more].concat())
    };
    let told = infer("f.npz", &["--features"]).said();
    assert!(
        told.contains("stride_4 [1, 128, 16, 16], stride_8 [1, 256, 8, 8]"),
        "{told}"
    );
    let pyramid = arrays::read_archive(&place.path().join("f.npz"));
    let shapes: Vec<(&str, &[u64])> = pyramid
        .iter()
        .map(|(name, shape, _)| (name.as_str(), shape.as_slice()))
        .collect();
    let expected: [(&str, &[u64]); 5] = [
        ("stride_2", &[1, 64, 32, 32]),
        ("stride_4", &[1, 128, 16, 16]),
        ("stride_8", &[1, 256, 8, 8]),
        ("stride_16", &[1, 512, 4, 4]),
        ("stride_32", &[1, 1024, 2, 2]),
    ];
    assert_eq!(shapes, expected);
    infer("one.npy", &["--at", "incre_modules.1.0.relu"]).good();
    let (_, alone) = arrays::read(&place.path().join("one.npy"));
    let largest = alone.iter().copied().fold(0.0_f32, f32::max);
    let mut differences = alone.iter().zip(&pyramid[2].2).map(|(a, b)| (a - b).abs());
    assert!(differences.all(|difference| difference <= 1e-6 * largest));

    infer("n.npz", &["--at", "classifier,bn1", "--at", "bn1"]).good();
    let names: Vec<String> = arrays::read_archive(&place.path().join("n.npz"))
        .into_iter()
        .map(|array| array.0)
        .collect();
    assert_eq!(names, ["classifier", "bn1"], "each once");
    let several = infer("y.npy", &["--features=stage4"]).failed(2);
    assert!(several.contains("--output y.npz"), "{several}");
    assert!(
        infer("y.npz", &["--features=stage5"])
            .failed(2)
            .contains("[possible values: incre, stage4]")
    );
    assert!(!place.path().join("y.npz").exists() && !place.path().join("y.npy").exists());
}

#[test]
fn infer_writes_a_networks_own_outputs_under_their_names_beside_others() {
    let place = Place::new();
    arrays::write(&place.path().join("x.npy"), &[1, 3, 64, 32]);
    let infer = |model: &str, output: &str, more: &[&str]| {
        place.infer(model, ["x.npy", output], &[&SEEDED, more].concat())
    };
    let names = |file: &str| -> Vec<(String, Vec<u64>)> {
        let arrays = arrays::read_archive(&place.path().join(file)).into_iter();
        arrays.map(|(name, shape, _)| (name, shape)).collect()
    };
    let named = |name: &str, shape: &[u64]| (name.to_owned(), shape.to_vec());
    let pose = "pose_hrnet_w32_256x192";
    infer(pose, "maps.npz", &["--outputs"]).good();
    assert_eq!(names("maps.npz"), [named("heatmaps", &[1, 17, 16, 8])]);
    infer(pose, "maps.npy", &["--outputs"]).good();
    let (_, maps) = arrays::read(&place.path().join("maps.npy"));
    assert_eq!(maps, arrays::read_archive(&place.path().join("maps.npz"))[0].2);

    infer(
        "hrnet_w18_small",
        "all.npz",
        &["--outputs", "--features", "--backend", "cpu-exact"],
    )
    .good();
    let all = names("all.npz");
    assert_eq!(
        all[..2],
        [named("logits", &[1, 1000]), named("stride_2", &[1, 64, 32, 16])]
    );
    assert_eq!(all.len(), 6);
    infer("hrnet_w18_small", "y.npy", &["--backend", "cpu-exact"]).good();
    let (shape, logits) = arrays::read(&place.path().join("y.npy"));
    assert_eq!(shape, [1, 1000]);
    let beside = &arrays::read_archive(&place.path().join("all.npz"))[0].2;
    let largest = logits
        .iter()
        .fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    let mut pairs = logits.iter().zip(beside);
    assert!(pairs.all(|(alone, beside)| (alone - beside).abs() <= 1e-5 * largest));
    let several = infer("hrnet_w18_small", "y.npy", &["--outputs", "--at", "bn1"]).failed(2);
    assert!(
        several.contains("holds one array, not 2") && several.contains("--output y.npz"),
        "{several}"
    );
}

#[test]
fn arrays_of_another_form_are_refused_with_what_makes_them_fit() {
    let place = Place::new();
    let infer = || place.infer("hrnet_w18_small", ["x.npy", "y.npy"], &SEEDED);
    for (shape, advice) in [
        (&[1, 64, 64, 3][..], "transpose(0, 3, 1, 2)"),
        (&[3, 64, 64], "x[None]"),
    ] {
        arrays::write(&place.path().join("x.npy"), shape);
        let error = infer().failed(2);
        assert!(
            error.contains("expected an array of shape [n, 3, h, w]") && error.contains(advice),
            "{error}"
        );
    }
    let mut writer = npyz::WriteOptions::<f64>::new()
        .default_dtype()
        .shape(&[1, 3, 32, 32])
        .writer(std::fs::File::create(place.path().join("x.npy")).expect("a file"))
        .begin_nd()
        .expect("begun");
    writer
        .extend(std::iter::repeat_n(0.5, 3 * 32 * 32))
        .expect("written");
    writer.finish().expect("finished");
    let error = infer().failed(2);
    assert!(
        error.contains("convert it with .astype(numpy.float32)"),
        "{error}"
    );
    place.write("x.npy", "text");
    let error = infer().failed(2);
    assert!(error.contains("x.npy: not a NumPy file"), "{error}");
}
