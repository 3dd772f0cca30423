"""Makes the golden logits of SE_HRNet_W64, which timm lacks, with PaddlePaddle and PaddleClas's own class on seeded
weights, in float32.

    python -m venv golden && golden/bin/pip install -r tests/parity/requirements.txt
    golden/bin/pip install --no-deps paddleclas==2.6.0
    golden/bin/python tests/golden/paddle_logits.py

Only PaddleClas's file of the class is loaded: the package itself asks for faiss and more, and its `SE_HRNet_*`
functions fail for want of a download address.
"""

import functools
import importlib
import importlib.util
import logging
import pathlib
import re
import sys
import types

import numpy as np
import paddle

import cases
import seeded

# The flat list of a module's fuse layers: (output, from[, step]) in order, by the number of branches.
FUSE = {
    2: ["0.1", "1.0.0"],
    3: ["0.1", "0.2", "1.0.0", "1.2", "2.0.0", "2.0.1", "2.1.0"],
    4: ["0.1", "0.2", "0.3", "1.0.0", "1.2", "1.3", "2.0.0", "2.0.1", "2.1.0", "2.3",
        "3.0.0", "3.0.1", "3.0.2", "3.1.0", "3.1.1", "3.2.0"],
}

# A unit of convolution and batch norm: PaddleClas's pattern, timm's convolution, timm's batch norm.
UNITS = [
    (r"conv_layer1_(\d)", r"conv\1", r"bn\1"),
    (r"layer1\.(\d)\.conv(\d)", r"layer1.\1.conv\2", r"layer1.\1.bn\2"),
    (r"layer1\.0\.conv_down", "layer1.0.downsample.0", "layer1.0.downsample.1"),
    (r"conv_tr1_1", "transition1.0.0", "transition1.0.1"),
    (r"conv_tr1_2", "transition1.1.0.0", "transition1.1.0.1"),
    (r"conv_tr([23])", r"transition\1.\1.0.0", r"transition\1.\1.0.1"),
    (r"st(\d)\.stage_func_list\.(\d)\.basic_block_list\.(\d)\.(\d)\.conv(\d)",
     r"stage\1.\2.branches.\3.\4.conv\5", r"stage\1.\2.branches.\3.\4.bn\5"),
    (r"last_cls\.func_list\.(\d)\.conv(\d)", r"incre_modules.\1.0.conv\2", r"incre_modules.\1.0.bn\2"),
    (r"last_cls\.func_list\.(\d)\.conv_down", r"incre_modules.\1.0.downsample.0", r"incre_modules.\1.0.downsample.1"),
    (r"cls_head_conv_list\.(\d)", r"downsamp_modules.\1.0", r"downsamp_modules.\1.1"),
    (r"conv_last", "final_layer.0", "final_layer.1"),
]
BLOCKS = [
    (r"st(\d)\.stage_func_list\.(\d)\.basic_block_list\.", r"stage\1.\2.branches."),
    (r"last_cls\.func_list\.(\d)", r"incre_modules.\1.0"),
]
STATISTICS = {"_mean": "running_mean", "_variance": "running_var"}


def canonical(key: str) -> str:
    """timm's name of the tensor that PaddleClas calls `key`; `se.fc1` and `se.fc2` for what timm lacks."""
    module, _, parameter = key.rpartition(".")
    if module == "fc":
        return f"classifier.{parameter}"
    if ".se." in module:
        for pattern, replacement in BLOCKS:
            module = re.sub(pattern, replacement, module)
        return module.replace("fc_squeeze", "fc1").replace("fc_excitation", "fc2") + f".{parameter}"
    unit, _, part = module.rpartition(".")
    if fuse := re.fullmatch(r"st(\d)\.stage_func_list\.(\d)\.fuse_func\.residual_func_list\.(\d+)", unit):
        stage, index, flat = map(int, fuse.groups())
        return (f"stage{stage}.{index}.fuse_layers.{FUSE[stage][flat]}.{'conv bn'.split().index(part)}."
                f"{STATISTICS.get(parameter, parameter)}")
    for pattern, conv, norm in UNITS:
        if match := re.fullmatch(pattern, unit):
            return f"{match.expand(conv if part == 'conv' else norm)}.{STATISTICS.get(parameter, parameter)}"
    raise KeyError(key)


@functools.cache
def hrnet_class() -> type:
    """PaddleClas's `HRNet`, without running the `__init__` files above it."""
    root = pathlib.Path(importlib.util.find_spec("paddleclas").origin).parent
    for package in ["paddleclas", "paddleclas.ppcls", "paddleclas.ppcls.utils", "paddleclas.ppcls.arch",
                    "paddleclas.ppcls.arch.backbone", "paddleclas.ppcls.arch.backbone.base",
                    "paddleclas.ppcls.arch.backbone.legendary_models"]:
        module = types.ModuleType(package)
        module.__path__ = [str(root.joinpath(*package.split(".")[1:]))]
        sys.modules[package] = module
    importlib.import_module("paddleclas.ppcls.utils.logger").init_logger(log_level=logging.ERROR)
    return importlib.import_module("paddleclas.ppcls.arch.backbone.legendary_models.hrnet").HRNet


def seeded_state(model: paddle.nn.Layer) -> dict:
    """Seeded weights under the layer's own names; its linear weights are `[in, out]`."""
    linear = {f"{name}.weight" for name, layer in model.named_sublayers() if isinstance(layer, paddle.nn.Linear)}
    state = {}
    for key, value in model.state_dict().items():
        shape = tuple(value.shape)
        values = seeded.tensor(canonical(key), shape[::-1] if key in linear else shape)
        state[key] = np.ascontiguousarray(values.T) if key in linear else values
    return state


def network(width: int, has_se: bool) -> paddle.nn.Layer:
    """PaddleClas's network on seeded weights, in evaluation mode."""
    model = hrnet_class()(stages_pattern=["st4"], width=width, has_se=has_se)
    model.eval()
    missing, unexpected = model.set_state_dict(seeded_state(model))
    assert not missing and not unexpected, (missing, unexpected)
    return model


@paddle.no_grad()
def logits(model: paddle.nn.Layer, batch: np.ndarray) -> np.ndarray:
    return model(paddle.to_tensor(batch)).numpy()


@paddle.no_grad()
def features(model: paddle.nn.Layer, batch: np.ndarray) -> list:
    """The outputs of the branches of stage 4, finest first."""
    kept = []
    hook = model.st4.register_forward_post_hook(lambda layer, args, output: kept.extend(output))
    model(paddle.to_tensor(batch))
    hook.remove()
    return [branch.numpy() for branch in kept]


def main():
    for name, width in cases.PADDLE_SE.items():
        model = network(width, has_se=True)
        cases.write(name, lambda batch: logits(model, batch))


if __name__ == "__main__":
    main()
