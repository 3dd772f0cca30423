"""One inference engine, one network, one batch: python worker.py ENGINE THREADS MODEL.onnx IMAGES.npy OUTPUT.npy PRECISION

Loads the model, computes once, saves the output (logits or heatmaps), and says `ready ABOUT`. Each line `run` then gives
`ok NS`: one inference, from f32 images in memory to an array of the output, by this process's clock. Anything else gives `error WHY`.
"""

import os
import sys
import time
from importlib.metadata import version

import numpy

# Libraries print what they like to standard output; the replies get a stream of their own.
replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def on_unit():
    """The unit that oneDNN is held to, if it is, as records name units."""
    unit = "_".join(os.environ.get("ONEDNN_MAX_CPU_ISA", "").lower().split())
    return f", on {unit}" if unit else ""


class OpenVino:
    def __init__(self, model, images, threads, precision):
        import openvino

        network = openvino.Core().read_model(model)
        network.reshape(list(images.shape))
        # What a network in int8 does not say to be so is f32.
        hint = "f32" if precision == "int8" else precision
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = openvino.Core().compile_model(network, "CPU", options)
        taken = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        assert taken == hint, f"OpenVINO does not run {precision} on this CPU: it takes {taken}"
        self.request = compiled.create_infer_request()
        self.images = images
        self.about = f"OpenVINO {version('openvino')}{on_unit()}"

    def run(self):
        return self.request.infer({0: self.images}, share_inputs=True)[0]


class OnnxRuntime:
    def __init__(self, model, images, threads, precision):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_free_dimension_override_by_name("batch", len(images))
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.images = images
        self.about = f"ONNX Runtime {version('onnxruntime')}"

    def run(self):
        return self.session.run(None, {"images": self.images})[0]


def torch_module(path):
    """The ONNX graph as straight-line PyTorch: nothing is interpreted when it runs."""
    import onnx
    import torch
    from onnx import numpy_helper
    from torch import fx, nn

    graph = onnx.load(path).graph
    weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    uses = [name for node in graph.node for name in node.input]
    root, traced = nn.Module(), fx.Graph()
    values = {"images": traced.placeholder("images")}

    def layer(index, module, name):
        root.add_module(f"layer{index}", module)
        return traced.call_module(f"layer{index}", (values[name],))

    def conv(node):
        found = {attribute.name: list(attribute.ints) for attribute in node.attribute}
        weight, pads = weights[node.input[1]], found.get("pads", [0, 0, 0, 0])
        assert pads[:2] == pads[2:], f"{node.name}: uneven padding {pads}"
        outputs, inputs = weight.shape[:2]
        module = nn.Conv2d(inputs, outputs, weight.shape[2:], found.get("strides", 1), pads[:2])
        module.weight.data, module.bias.data = weight, weights[node.input[2]]
        return module

    for index, node in enumerate(graph.node):
        first = node.input[0]
        match node.op_type:
            case "Conv":
                made = layer(index, conv(node), first)
            case "Relu":
                made = layer(index, nn.ReLU(inplace=uses.count(first) == 1), first)
            case "Resize":
                scale = weights[node.input[2]][2:].tolist()
                made = layer(index, nn.Upsample(scale_factor=tuple(scale), mode="nearest"), first)
            case "GlobalAveragePool":
                made = layer(index, nn.AdaptiveAvgPool2d(1), first)
            case "Sigmoid":
                made = layer(index, nn.Sigmoid(), first)
            case "Flatten":
                made = layer(index, nn.Flatten(), first)
            case "Add":
                made = traced.call_function(torch.add, tuple(values[name] for name in node.input))
            case "Mul":
                made = traced.call_function(torch.mul, tuple(values[name] for name in node.input))
            case other:
                raise NotImplementedError(f"{node.name}: no PyTorch layer for {other}")
        values[node.output[0]] = made
    traced.output(values[graph.output[0].name])
    return fx.GraphModule(root, traced).eval()


class Torch:
    """Eager, channels last: PyTorch's fastest without compiling."""

    how = "eager, channels last"

    def __init__(self, model, images, threads, precision):
        import torch

        torch.set_num_threads(threads)
        self.no_grad = torch.no_grad
        self.images = torch.from_numpy(images)
        self.format = torch.channels_last
        self.module = self.compiled(torch_module(model).to(memory_format=self.format))
        self.about = f"PyTorch {torch.__version__}, {self.how}{on_unit()}"

    def compiled(self, module):
        return module

    def run(self):
        with self.no_grad():
            return self.module(self.images.to(memory_format=self.format)).numpy()


class TorchCompile(Torch):
    """Compiled by inductor, with the weights frozen into the code."""

    how = "torch.compile with inductor, frozen, channels last"

    def compiled(self, module):
        import torch
        import torch._inductor.config

        torch._inductor.config.freezing = True
        return torch.compile(module)


class Ncnn:
    """Has no batches: the images of one run one after the other."""

    def __init__(self, model, images, threads, precision):
        import ncnn

        self.ncnn = ncnn
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        for name in dir(self.net.opt):
            if name.startswith(("use_fp16", "use_bf16", "use_int8")):
                setattr(self.net.opt, name, False)
        base = self.converted(model, images)
        for read, suffix in ((self.net.load_param, "param"), (self.net.load_model, "bin")):
            assert read(f"{base}.{suffix}") == 0, f"ncnn does not read {base}.{suffix}"
        self.images = images
        self.about = f"ncnn {version('ncnn')}, by pnnx {version('pnnx')}"

    @staticmethod
    def converted(model, images):
        """pnnx writes the network for one image, beside the model, once."""
        import subprocess
        from importlib.util import find_spec

        base = f"{model}.ncnn"
        if not os.path.exists(f"{base}.done"):
            # The folder of the package alone: importing it brings PyTorch along.
            program = os.path.join(os.path.dirname(find_spec("pnnx").origin), "pnnx")
            shape = ",".join(str(extent) for extent in (1, *images.shape[1:]))
            unwanted = [f"{name}={os.devnull}" for name in ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx", "ncnnpy")]
            wanted = [f"ncnnparam={base}.param", f"ncnnbin={base}.bin", "fp16=0", f"inputshape=[{shape}]f32"]
            subprocess.run([program, model, *wanted, *unwanted], check=True, stdout=sys.stderr)
            open(f"{base}.done", "w").close()
        return base

    def run(self):
        rows = []
        for image in self.images:
            extractor = self.net.create_extractor()
            extractor.input("in0", self.ncnn.Mat(image))
            status, output = extractor.extract("out0")
            assert status == 0, f"ncnn: status {status}"
            rows.append(numpy.array(output))
        return numpy.stack(rows)


class Mnn:
    def __init__(self, model, images, threads, precision):
        import MNN

        self.mnn = MNN
        self.interpreter = MNN.Interpreter(self.converted(model))
        options = {"backend": "CPU", "numThread": threads, "precision": "high"}
        self.session = self.interpreter.createSession(options)
        self.input = self.interpreter.getSessionInput(self.session)
        self.interpreter.resizeTensor(self.input, images.shape)
        self.interpreter.resizeSession(self.session)
        self.images = images
        self.about = f"MNN {version('MNN')}"

    @staticmethod
    def converted(model):
        """The converter's library writes the network beside the model, once.

        Not by the package's command `mnnconvert`: that installs a logging library with whichever `pip` it finds and
        reports each conversion over the network.
        """
        import _tools

        path = f"{model}.mnn"
        if not os.path.exists(f"{path}.done"):
            _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", model, "--MNNModel", path, "--bizCode", "zoo"])
            assert os.path.exists(path), "MNN's converter wrote nothing"
            open(f"{path}.done", "w").close()
        return path

    def run(self):
        mnn, kind = self.mnn, self.mnn.Tensor_DimensionType_Caffe
        self.input.copyFrom(mnn.Tensor(self.images.shape, mnn.Halide_Type_Float, self.images, kind))
        self.interpreter.runSession(self.session)
        output = self.interpreter.getSessionOutput(self.session)
        shape = output.getShape()
        values = numpy.empty(shape, numpy.float32)
        host = mnn.Tensor(shape, mnn.Halide_Type_Float, values, kind)
        output.copyToHostTensor(host)
        # What the tensor shows is freed with it.
        return numpy.array(host.getNumpyData())


ENGINES = {
    "openvino": OpenVino,
    "onnxruntime": OnnxRuntime,
    "torch": Torch,
    "torch-compile": TorchCompile,
    "ncnn": Ncnn,
    "mnn": Mnn,
}


def one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())


def main(name, threads, model, images, output, precision):
    try:
        engine = ENGINES[name](model, numpy.load(images), int(threads), precision)
        numpy.save(output, numpy.ascontiguousarray(engine.run(), dtype=numpy.float32))
    except Exception as error:
        print("error", one_line(error), file=replies)
        raise
    print("ready", engine.about, file=replies)
    for line in sys.stdin:
        if line != "run\n":
            print("error", f"unknown request {line!r}", file=replies)
            continue
        try:
            start = time.perf_counter_ns()
            engine.run()
            print("ok", time.perf_counter_ns() - start, file=replies)
        except Exception as error:
            print("error", one_line(error), file=replies)


if __name__ == "__main__":
    main(*sys.argv[1:])
