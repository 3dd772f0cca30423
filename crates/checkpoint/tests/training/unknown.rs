//! Classes that nothing here knows: inert where they are beside the weights, an error where a tensor needs one.

use checkpoint::{Naming, read};

use crate::common::{fixture, plain};
use crate::pickles::{call, dict, global, int, numbered, storage, tensor, text, tuple, view};
use crate::{first, network, parsed, refused};

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
        let error = needed.bind(&plain()).expect_err("needed").to_string();
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
