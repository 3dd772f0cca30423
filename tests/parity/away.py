"""Networks taken away from the zoo: ONNX in ONNX Runtime, renamed weights in the frameworks."""

import os

import onnx
import onnxruntime

import checks
import frameworks as real
import seeded

SHAPES = [(1, 3, 224, 224), (3, 3, 224, 224)]
OTHER_SIZES = [(2, 3, 192, 160), (1, 3, 320, 256)]
FORMS = [[], ["--fold"], ["--dynamic-size"], ["--dynamic-size", "--fold"]]


def onnx_files(network: str, zoo):
    """Each form of the ONNX file against the zoo's own logits, at several batch sizes, and sizes where it may."""
    shapes = SHAPES + OTHER_SIZES
    ours = {}
    for form in FORMS:
        path = zoo.folder / "network.onnx"
        dynamic = "--dynamic-size" in form
        for shape in shapes if dynamic else SHAPES:
            batch = seeded.images(shape)

            def theirs():
                if not path.exists():
                    zoo.export(network, "seeded:0", path, "--format", "onnx", *form)
                    onnx.checker.check_model(str(path), full_check=True)
                return onnx_logits(path, batch)

            def own():
                if shape not in ours:
                    ours[shape] = zoo.infer(network, "seeded:0", batch)
                return ours[shape]

            what = " ".join(["onnx", *form, "x".join(map(str, shape))])
            yield checks.compare(network, what, "f32", own, theirs)
        path.unlink(missing_ok=True)


def int8_files(network: str, zoo):
    """Each form of the int8 file on a photo, against the zoo's logits in f32. Where every map is rounded, ONNX Runtime has
    to fuse every convolution but the classifier."""
    batch = zoo.photo()
    for rounded in ["every", "operands"]:
        path = zoo.folder / "network.onnx"

        def quantized():
            zoo.export(network, "seeded:0", path, "--precision", "int8", "--rounded", rounded)
            onnx.checker.check_model(str(path), full_check=True)
            kept = zoo.folder / "optimised.onnx"
            logits = onnx_logits(path, batch, kept)
            in_f32 = sum(node.op_type in ("Conv", "FusedConv") for node in onnx.load(kept).graph.node)
            if rounded == "every" and in_f32 != 1:
                raise ValueError(f"ONNX Runtime leaves {in_f32} convolutions in f32")
            return logits

        what = f"onnx --precision int8 --rounded {rounded}"
        yield checks.compare(network, what, "int8", quantized, lambda: zoo.infer(network, "seeded:0", batch))
        path.unlink(missing_ok=True)


def onnx_logits(path, batch, optimised=None):
    """ONNX Runtime's; the graph that it made of the file may be kept."""
    options = onnxruntime.SessionOptions()
    if optimised:
        options.log_severity_level = 3
        options.optimized_model_filepath = str(optimised)
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: batch})[0]


def renamed(network: str, frameworks: list, zoo):
    """Weights exported under each framework's names, out of a file of the other framework where there is one: they
    load with nothing missing or left over, are the seeded tensors to the bit, and give the same logits."""
    batch = seeded.images((2, 3, 192, 160))
    for framework in frameworks:
        names = {"timm": "timm", "PaddlePaddle": "paddle"}[framework.label]
        origin = next((other for other in frameworks if other is not framework), framework)
        file = origin.favourite()
        source, path = zoo.folder / f"weights{file.suffix}", zoo.folder / "renamed.safetensors"
        file.write(source)

        def loaded():
            zoo.export(network, source, path, "--format", "safetensors", "--names", names)
            model = framework.load(path)
            if wrong := real.differing(framework, model):
                raise ValueError(f"{len(wrong)} tensors differ from the seeded ones: {wrong[:3]}")
            return framework.logits(model, batch)

        what = f"safetensors --names {names} from {origin.label}'s file"
        yield checks.compare(network, what, "f32", loaded, lambda: framework.logits(framework.model, batch))
        source.unlink()
        path.unlink(missing_ok=True)
