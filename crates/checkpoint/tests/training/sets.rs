//! Which of several sets of weights in a file is the network's.

use checkpoint::{Dtype, Naming, read, read_set};

use crate::common::fixture;
use crate::pickles::{call, dict, global, int, list, numbered, tensor, text, tuple};
use crate::{first, network, parsed, set};

#[test]
fn a_single_figure_beside_the_weights_is_not_taken_for_them() {
    let file = read(&fixture("case_best_acc1.pth")).expect("the file");
    assert_eq!(file.set.as_deref(), Some("state_dict"));
    assert_eq!(
        file.tensors.keys().collect::<Vec<_>>(),
        ["bn1.weight", "conv1.weight"]
    );
    assert!(file.other_sets.iter().all(|key| key != "state_dict"));
    for figure in ["best_acc1", "perf", "n_averaged", "mean", "class_weights"] {
        for wrapper in [
            "state_dict",
            "model",
            "model_state_dict",
            "net",
            "network",
            "module",
            "anything",
        ] {
            let run = numbered(&dict(&[(figure, tensor("9", &[16])), (wrapper, network("1"))]));
            let file = parsed(&run);
            assert_eq!(
                (file.set.as_deref(), file.tensors.len()),
                (Some(wrapper), 2),
                "{figure}"
            );
            assert_eq!(first(&file, "conv1.weight"), 10.0);
        }
    }
}

#[test]
fn an_average_is_named_and_taken_only_when_asked_for() {
    let path = fixture("case_ema.pth");
    let file = read(&path).expect("the file");
    assert_eq!(
        (file.set.as_deref(), file.other_sets.as_slice()),
        (Some("state_dict"), ["state_dict_ema".to_owned()].as_slice())
    );
    let ema = read_set(&path, Some("state_dict_ema")).expect("the average");
    assert_eq!(
        (ema.set.as_deref(), ema.other_sets.as_slice()),
        (Some("state_dict_ema"), ["state_dict".to_owned()].as_slice())
    );
    assert_ne!(file.tensors["conv1.weight"], ema.tensors["conv1.weight"]);
    let error = read_set(&path, Some("model"))
        .expect_err("no such set")
        .to_string();
    assert!(
        error.contains("no set of tensors `model`; it has `state_dict`, `state_dict_ema`"),
        "{error}"
    );
}

#[test]
fn wrappers_may_be_nested_lists_tuples_or_pairs() {
    for (value, key) in [
        (
            dict(&[("checkpoint", dict(&[("model", network("3"))]))]),
            "checkpoint/model",
        ),
        (tuple(&[network("3"), dict(&[("epoch", int(3))])]), "0"),
        (list(&[int(7), network("3")]), "1"),
        (
            dict(&[
                ("ema", dict(&[("module", network("4"))])),
                ("teacher", network("5")),
                ("student", network("3")),
            ]),
            "student",
        ),
        (
            dict(&[(
                "net",
                list(&[
                    tuple(&[text("conv1.weight"), tensor("3", &[4, 4])]),
                    tuple(&[text("bn1.weight"), tensor("3", &[16])]),
                ]),
            )]),
            "net",
        ),
        (
            // A dictionary of a class that is not known, as EasyDict or ConfigDict, has its items all the same.
            dict(&[(
                "state_dict",
                [
                    call("easydict", "EasyDict", &[]),
                    b"(".to_vec(),
                    text("conv1.weight"),
                    tensor("3", &[4, 4]),
                    text("bn1.weight"),
                    tensor("3", &[16]),
                    b"u".to_vec(),
                ]
                .concat(),
            )]),
            "state_dict",
        ),
        (
            dict(&[(
                "model",
                [
                    call("collections", "defaultdict", &[global("builtins", "list")]),
                    text("conv1.weight"),
                    tensor("3", &[4, 4]),
                    b"s".to_vec(),
                    text("bn1.weight"),
                    tensor("3", &[16]),
                    b"s".to_vec(),
                ]
                .concat(),
            )]),
            "model",
        ),
    ] {
        let bytes = numbered(&value);
        let file = parsed(&bytes);
        assert_eq!(file.set.as_deref(), Some(key));
        assert_eq!(
            (first(&file, "conv1.weight"), first(&file, "bn1.weight")),
            (30.0, 30.0),
            "{key}"
        );
        assert_eq!(set(&bytes, key).expect("the same").tensors, file.tensors);
    }
}

#[test]
fn one_dictionary_under_two_keys_is_found_under_both() {
    let shared = [network("2"), b"q\x05".to_vec()].concat();
    let bytes = numbered(&dict(&[("model", shared), ("state_dict", b"h\x05".to_vec())]));
    let file = parsed(&bytes);
    assert_eq!(
        (file.set.as_deref(), file.other_sets.len()),
        (Some("state_dict"), 0)
    );
    assert_eq!(set(&bytes, "model").expect("the same").tensors, file.tensors);
}

#[test]
fn the_network_is_found_below_the_wrappers_around_it() {
    let file = read(&fixture("case_swa.pth")).expect("the file");
    assert_eq!(file.naming().expect("timm's"), Naming::Timm);
    assert_eq!(file.tensors["n_averaged"].dtype, Dtype::I64);
    for prefix in [
        "module.",
        "_orig_mod.",
        "model.",
        "backbone.model.",
        "module._orig_mod.",
        "net.",
        "1.",
    ] {
        let own = |name: &str| format!("{prefix}{name}");
        let bytes = numbered(&dict(&[
            (&own("conv1.weight"), tensor("1", &[4, 4])),
            (&own("bn1.weight"), tensor("1", &[16])),
            ("criterion.weight", tensor("2", &[16])),
            ("n_averaged", tensor("3", &[])),
        ]));
        let file = parsed(&bytes);
        assert_eq!(
            (file.set.as_deref(), file.naming().expect(prefix)),
            (None, Naming::Timm)
        );
    }
}

#[test]
fn teacher_and_student_in_one_dictionary_are_two_sets() {
    let bytes = numbered(&dict(&[(
        "state_dict",
        dict(&[
            ("student.backbone.conv1.weight", tensor("1", &[4, 4])),
            ("student.backbone.classifier.weight", tensor("1", &[4, 4])),
            ("teacher.backbone.conv1.weight", tensor("2", &[4, 4])),
            ("teacher.backbone.classifier.weight", tensor("2", &[4, 4])),
            ("center", tensor("3", &[16])),
        ]),
    )]));
    let file = parsed(&bytes);
    assert_eq!(file.set.as_deref(), Some("state_dict/student/backbone"));
    assert_eq!(file.other_sets, ["state_dict/teacher/backbone"]);
    assert_eq!(file.tensors.len(), 2);
    let teacher = set(&bytes, "state_dict/teacher/backbone").expect("the teacher");
    assert_eq!(first(&teacher, "teacher.backbone.conv1.weight"), 20.0);
    assert_eq!(teacher.tensors.len(), 2);
}

#[test]
fn an_optimizer_is_not_taken_for_a_network() {
    let state = dict(&[
        ("exp_avg", tensor("2", &[16])),
        ("exp_avg_sq", tensor("3", &[16])),
        ("step", tensor("4", &[])),
    ]);
    let bytes = numbered(&dict(&[
        (
            "optimizer",
            dict(&[("state", dict(&[("0", state.clone()), ("1", state)]))]),
        ),
        ("weights_of_mine", dict(&[("a", tensor("1", &[16]))])),
    ]));
    let file = parsed(&bytes);
    assert_eq!(
        (file.set.as_deref(), file.other_sets.len()),
        (Some("weights_of_mine"), 0)
    );
}
