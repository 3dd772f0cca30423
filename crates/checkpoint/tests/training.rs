//! Files as training runs leave them: weights beside averages, figures, optimizers and whatever else was at hand.

mod common;
#[path = "common/pickles.rs"]
mod pickles;

use std::path::Path;

use checkpoint::{CheckpointError, Dtype, Naming, TensorFile, parse, parse_set, read, read_set};
use common::fixture;
use pickles::{call, dict, global, int, list, numbered, pickle, storage, tensor, text, tuple, view};

fn parsed(bytes: &[u8]) -> TensorFile {
    parse(Path::new("run.pth"), bytes.to_vec().into()).expect("a weight file")
}

fn set(bytes: &[u8], key: &str) -> Result<TensorFile, CheckpointError> {
    parse_set(Path::new("run.pth"), bytes.to_vec().into(), Some(key))
}

fn refused(bytes: &[u8]) -> String {
    parse(Path::new("run.pth"), bytes.to_vec().into())
        .expect_err("refused")
        .to_string()
}

/// The sixteen numbers of a storage's tensor begin with this; which storage a name's tensor is of tells its set.
fn first(file: &TensorFile, name: &str) -> f32 {
    file.tensors[name].values()[0]
}

/// The first tensors of the original's networks, of a storage.
fn network(key: &str) -> Vec<u8> {
    dict(&[
        ("conv1.weight", tensor(key, &[4, 4])),
        ("bn1.weight", tensor(key, &[16])),
    ])
}

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
fn unknown_classes_in_the_notes_are_inert_and_told() {
    let file = read(&fixture("case_namespace.pth")).expect("the file");
    assert_eq!(
        (file.tensors.len(), file.unknown.as_slice()),
        (2, ["argparse.Namespace".to_owned()].as_slice())
    );
    let state = |object: Vec<u8>| [object, dict(&[("lr", int(1))]), b"b".to_vec()].concat();
    let notes: &[(&str, Vec<u8>)] = &[
        (
            "args",
            state([global("argparse", "Namespace"), b")\x81".to_vec()].concat()),
        ),
        (
            "counter",
            call("collections", "Counter", &[dict(&[("a", int(3))])]),
        ),
        ("path", call("pathlib", "PosixPath", &[text("/"), text("runs")])),
        ("when", call("datetime", "datetime", &[text("\u{7}\u{ea}")])),
        ("device", call("torch", "device", &[text("cuda"), int(0)])),
        ("dtype", global("torch", "float32")),
        ("size", call("torch", "Size", &[tuple(&[int(3), int(4)])])),
        (
            "scalar",
            call(
                "numpy.core.multiarray",
                "scalar",
                &[call("numpy", "dtype", &[text("f8")]), text("x")],
            ),
        ),
        (
            "set",
            [b"\x8f(".to_vec(), int(1), int(2), b"\x90".to_vec()].concat(),
        ),
        ("frozen", [b"(".to_vec(), int(1), b"\x91".to_vec()].concat()),
        (
            "partial",
            state(call("functools", "partial", &[global("os", "system")])),
        ),
        ("evil", call("os", "system", &[text("touch /tmp/never")])),
        ("float", b"G\0\0\0\0\0\0\0\0".to_vec()),
        ("long", [b"\x8a\x0a".as_slice(), &[7; 10]].concat()),
        ("longer", [b"\x8b\x0a\0\0\0".as_slice(), &[7; 10]].concat()),
        (
            "bytearray",
            [b"\x96\x03\0\0\0\0\0\0\0".as_slice(), b"abc"].concat(),
        ),
        (
            "keywords",
            [
                global("enum", "Kind"),
                tuple(&[int(1)]),
                dict(&[("a", int(1))]),
                b"\x92".to_vec(),
            ]
            .concat(),
        ),
        (
            "old",
            [b"(".to_vec(), global("argparse", "Old"), int(1), b"o".to_vec()].concat(),
        ),
        (
            "older",
            [b"(".to_vec(), int(1), b"iargparse\nOlder\n".to_vec()].concat(),
        ),
        (
            "history",
            [
                call("mmengine.logging.history_buffer", "HistoryBuffer", &[]),
                b"(".to_vec(),
                int(1),
                int(2),
                b"e".to_vec(),
            ]
            .concat(),
        ),
        (
            "reconstructed",
            call(
                "copyreg",
                "_reconstructor",
                &[
                    global("my", "Config"),
                    global("builtins", "object"),
                    b"N".to_vec(),
                ],
            ),
        ),
        (
            "rng",
            call(
                "torch._utils",
                "_rebuild_tensor_v2",
                &view("ByteStorage", "8", &[64]),
            ),
        ),
        (
            "popped",
            [
                int(1),
                int(2),
                b"0".to_vec(),
                b"(".to_vec(),
                int(3),
                b"1".to_vec(),
            ]
            .concat(),
        ),
        ("elsewhere", [text("somewhere"), b"Q".to_vec()].concat()),
        (
            "sparse",
            call(
                "torch._utils",
                "_rebuild_sparse_tensor",
                &[global("torch", "sparse_coo")],
            ),
        ),
    ];
    let weights = ("state_dict", network("1"));
    let bytes = numbered(&dict(&[notes, &[weights]].concat()));
    let file = parsed(&bytes);
    assert_eq!(
        (file.set.as_deref(), file.tensors.len(), file.unread.len()),
        (Some("state_dict"), 2, 0)
    );
    for name in [
        "os.system",
        "my.Config",
        "functools.partial",
        "argparse.Older",
        "torch.device",
    ] {
        assert!(
            file.unknown.iter().any(|unknown| unknown == name),
            "{name} of {:?}",
            file.unknown
        );
    }
    // The same beside the tensors, in one dictionary with them.
    let tensors = [
        ("conv1.weight", tensor("1", &[4, 4])),
        ("bn1.weight", tensor("1", &[16])),
    ];
    let file = parsed(&numbered(&dict(&[notes, &tensors].concat())));
    assert_eq!((file.set.as_deref(), first(&file, "bn1.weight")), (None, 10.0));
    assert_eq!(file.naming().expect("timm's"), Naming::Timm);
}

#[test]
fn a_tensor_that_depends_on_something_unknown_is_an_error_only_where_it_is_needed() {
    let unknown = [
        (
            "torch._utils._rebuild_sparse_tensor",
            call("torch._utils", "_rebuild_sparse_tensor", &[int(1)]),
        ),
        ("torch.Float9Storage", {
            let mut arguments = view("FloatStorage", "2", &[16]);
            arguments[0] = storage("Float9Storage", "2", 16);
            call("torch._utils", "_rebuild_tensor_v2", &arguments)
        }),
        (
            "torch.ComplexFloatStorage",
            call(
                "torch._utils",
                "_rebuild_tensor_v2",
                &view("ComplexFloatStorage", "2", &[8]),
            ),
        ),
        (
            "my.Subclass",
            call(
                "torch._tensor",
                "_rebuild_from_type_v2",
                &[
                    global("torch._utils", "_rebuild_tensor_v2"),
                    global("my", "Subclass"),
                    tuple(&view("FloatStorage", "2", &[16])),
                    b"N".to_vec(),
                ],
            ),
        ),
        (
            "os.system",
            call(
                "torch._utils",
                "_rebuild_tensor_v2",
                &[call("os", "system", &[text("true")]), int(0)],
            ),
        ),
    ];
    for (name, value) in unknown {
        let beside = parsed(&numbered(&dict(&[
            ("state_dict", network("1")),
            ("ema", value.clone()),
        ])));
        assert_eq!(beside.tensors.len(), 2, "{name}");
        let within = numbered(&dict(&[
            ("conv1.weight", tensor("1", &[4, 4])),
            ("extra", value.clone()),
        ]));
        let within = parsed(&within);
        assert!(within.unread["extra"].contains(name), "{:?}", within.unread);
        let needed = parsed(&numbered(&dict(&[
            ("conv1.weight", value.clone()),
            ("bn1.weight", tensor("1", &[16])),
        ])));
        let error = needed.bind(&common::plain()).expect_err("needed").to_string();
        assert!(
            error.contains("1 that cannot be read (conv1.weight: ") && error.contains(name),
            "{error}"
        );
        let alone = refused(&numbered(&dict(&[("conv1.weight", value)])));
        assert!(
            alone.contains("`conv1.weight`") && alone.contains(name),
            "{alone}"
        );
    }
}

#[test]
fn parameters_and_tensors_with_a_class_are_read_as_tensors() {
    let plain = tensor("1", &[4, 4]);
    let of_type = |class: Vec<u8>, function: &str| {
        let inner = [
            global("torch._utils", "_rebuild_tensor_v2"),
            class,
            tuple(&view("FloatStorage", "1", &[4, 4])),
            dict(&[("note", int(1))]),
        ];
        call("torch._tensor", function, &inner)
    };
    for value in [
        call(
            "torch._utils",
            "_rebuild_parameter",
            &[plain.clone(), b"\x88".to_vec(), b"N".to_vec()],
        ),
        call(
            "torch._utils",
            "_rebuild_parameter_with_state",
            &[plain, b"\x88".to_vec(), b"N".to_vec(), dict(&[])],
        ),
        of_type(global("torch.nn.parameter", "Parameter"), "_rebuild_from_type_v2"),
        of_type(global("torch", "Tensor"), "_rebuild_from_type"),
        of_type(global("torch.nn.parameter", "Buffer"), "_rebuild_from_type_v2"),
    ] {
        let file = parsed(&numbered(&dict(&[("conv1.weight", value)])));
        assert_eq!(file.tensors["conv1.weight"].shape, [4, 4]);
        assert_eq!(first(&file, "conv1.weight"), 10.0);
    }
}

#[test]
fn a_whole_pickled_network_is_told_with_what_to_do() {
    let network = [
        global("models.hrnet", "HRNet"),
        b")\x81".to_vec(),
        dict(&[("_modules", dict(&[]))]),
        b"b".to_vec(),
    ]
    .concat();
    let error = refused(&numbered(&network));
    assert!(
        error.contains("holds what `models.hrnet.HRNet` makes")
            && error.contains("save the network's `state_dict()`"),
        "{error}"
    );
    let error = refused(&numbered(&dict(&[("epoch", int(1)), ("model", network)])));
    assert!(
        error.contains("its keys: `epoch`, `model`, made by `models.hrnet.HRNet`"),
        "{error}"
    );
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

#[test]
fn protocol_5_is_read_and_its_buffers_outside_of_the_file_are_named() {
    let file = read(&fixture("case_proto5.pdparams")).expect("the file");
    let weight = &file.tensors["conv_layer1_1.conv.weight"];
    assert_eq!(
        (weight.shape.as_slice(), weight.values().as_ref()),
        ([2, 3, 3, 3].as_slice(), [1.0; 54].as_slice())
    );
    for opcode in [0x97, 0x98] {
        let error = refused(&pickle(5, &[opcode]));
        assert!(error.contains("protocol 5's out-of-band buffers"), "{error}");
    }
    assert!(refused(b"\x80\x06}.").contains("a pickle of protocol 6: 2 to 5 are read"));
}

#[test]
fn everything_that_people_pickle_beside_their_weights_is_passed_over() {
    for name in ["everything2.pth", "everything5.pth", "everything_legacy.pth"] {
        let file = read(&fixture(name)).expect(name);
        assert_eq!(
            (file.set.as_deref(), file.other_sets.as_slice()),
            (Some("state_dict"), ["model_ema/module".to_owned()].as_slice()),
            "{name}"
        );
        assert_eq!(
            file.tensors.keys().collect::<Vec<_>>(),
            ["bn1.num_batches_tracked", "bn1.weight", "conv1.weight"]
        );
        assert_eq!(
            file.tensors["conv1.weight"].values().as_ref(),
            [1.0; 108],
            "{name}"
        );
        assert!(file.unread.is_empty(), "{:?}", file.unread);
        for unknown in [
            "argparse.Namespace",
            "mmengine.config.config.ConfigDict",
            "my.kinds.Kind",
        ] {
            assert!(
                file.unknown.iter().any(|name| name == unknown),
                "{unknown} of {:?}",
                file.unknown
            );
        }
        file.check_all().expect("as it was written");
        let average = read_set(&fixture(name), Some("model_ema")).expect("the average");
        assert_eq!(
            average.tensors["bn1.weight"].values().as_ref(),
            [2.0; 4],
            "{name}"
        );
        let moments = read_set(&fixture(name), Some("optimizer.state.0")).expect("the moments");
        assert_eq!(moments.tensors["exp_avg"].values().as_ref(), [3.0; 4], "{name}");
    }
}

/// NumPy's array of these two numbers.
fn array() -> Vec<u8> {
    let dtype = [
        call("numpy", "dtype", &[text("f4")]),
        tuple(&[int(3), text("<")]),
        b"b".to_vec(),
    ]
    .concat();
    let data = [
        b"C\x08".as_slice(),
        &1.5_f32.to_le_bytes(),
        &(-2.0_f32).to_le_bytes(),
    ]
    .concat();
    let state = [int(1), tuple(&[int(2)]), dtype, b"\x89".to_vec(), data];
    let hollow = [global("numpy", "ndarray"), tuple(&[int(0)]), text("b")];
    [
        call("numpy.core.multiarray", "_reconstruct", &hollow),
        tuple(&state),
        b"b".to_vec(),
    ]
    .concat()
}

#[test]
fn arrays_are_read_wherever_they_stand_for_a_tensor() {
    let of_device = [
        array(),
        global("torch", "float32"),
        text("xla:0"),
        b"\x89".to_vec(),
    ];
    let of_static_graph = [text("data"), dict(&[("data", array())])];
    for value in [
        array(),
        tuple(&[text("conv2d_0.w_0"), array()]),
        call("torch._utils", "_rebuild_device_tensor_from_numpy", &of_device),
        call("builtins", "eval", &of_static_graph),
    ] {
        let wrapped = dict(&[("model", dict(&[("conv1.weight", value)])), ("epoch", int(3))]);
        for bytes in [pickle(2, &wrapped), numbered(&wrapped)] {
            let file = parsed(&bytes);
            assert_eq!(file.set.as_deref(), Some("model"));
            assert_eq!(file.tensors["conv1.weight"].values().as_ref(), [1.5, -2.0]);
        }
    }
    // No other program text means anything.
    for text_and_names in [
        [text("data * 2"), dict(&[("data", array())])],
        [text("data"), dict(&[("other", array())])],
    ] {
        let error = refused(&pickle(
            2,
            &dict(&[("a", call("builtins", "eval", &text_and_names))]),
        ));
        assert!(error.contains("`a`, made by `builtins.eval`"), "{error}");
    }
}
