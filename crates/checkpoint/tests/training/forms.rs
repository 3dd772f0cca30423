//! The forms in which Python pickles tensors and what is beside them.

use checkpoint::{read, read_set};

use crate::common::fixture;
use crate::pickles::{call, dict, global, int, numbered, pickle, tensor, text, tuple, view};
use crate::{first, parsed, refused};

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
