"""The real frameworks' networks: weight files as the frameworks write them, logits, features, and loading."""

import dataclasses
import logging
import pathlib
import sys
import typing

import numpy as np
import paddle
import safetensors.numpy
import safetensors.torch
import timm
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "golden"))
import paddle_logits
import timm_logits

logging.getLogger("timm").setLevel(logging.WARNING)


@dataclasses.dataclass
class WeightFile:
    """A file that a framework's own writer makes, and the network whose logits it stands for."""

    what: str
    suffix: str
    model: object
    write: typing.Callable[[pathlib.Path], None]


class Timm:
    """timm's network of this name."""

    label = "timm"
    logits = staticmethod(timm_logits.logits)
    features = staticmethod(timm_logits.features)

    def __init__(self, name: str):
        self.name = name
        self.model = timm_logits.network(name)

    def files(self):
        state = self.model.state_dict()
        parallel = {"epoch": 99, "state_dict": torch.nn.DataParallel(self.model).state_dict()}
        legacy = {"_use_new_zipfile_serialization": False}
        yield WeightFile(".pth, ZIP", ".pth", self.model, lambda path: torch.save(state, path))
        yield WeightFile(".pth, legacy", ".pth", self.model, lambda path: torch.save(state, path, **legacy))
        yield WeightFile(".pth, module. in state_dict", ".pth", self.model, lambda path: torch.save(parallel, path))
        yield self.favourite()
        biased = timm_logits.network(self.name, head_conv_bias=True)
        biased_state = biased.state_dict()
        yield WeightFile(".safetensors, head biases", ".safetensors", biased,
                         lambda path: safetensors.torch.save_file(biased_state, path))
        yield WeightFile(".pth, legacy, head biases", ".pth", biased,
                         lambda path: torch.save(biased_state, path, **legacy))

    def favourite(self) -> WeightFile:
        """The file that people pass on today."""
        state = self.model.state_dict()
        return WeightFile(".safetensors", ".safetensors", self.model,
                          lambda path: safetensors.torch.save_file(state, path))

    def load(self, path: pathlib.Path):
        """A new network with an exported file's weights; raises where a tensor is missing or not its own."""
        model = timm.create_model(self.name, pretrained=False, head_conv_bias=False).eval()
        timm.models.load_checkpoint(model, str(path), strict=True)
        return model

    @staticmethod
    def arrays(model) -> dict:
        state = model.state_dict().items()
        return {key: value.numpy() for key, value in state if not key.endswith("num_batches_tracked")}


class Paddle:
    """PaddleClas's network of this width."""

    label = "PaddlePaddle"
    logits = staticmethod(paddle_logits.logits)
    features = staticmethod(paddle_logits.features)

    def __init__(self, width: int, has_se: bool = False):
        self.width, self.has_se = width, has_se
        self.model = paddle_logits.network(width, has_se)

    def files(self):
        return map(self.pdparams, [2, 3, 4])

    def pdparams(self, protocol: int) -> WeightFile:
        state = self.model.state_dict()
        return WeightFile(f".pdparams, protocol {protocol}", ".pdparams", self.model,
                          lambda path: paddle.save(state, str(path), protocol=protocol))

    def favourite(self) -> WeightFile:
        """The file that people pass on today."""
        return self.pdparams(4)

    def load(self, path: pathlib.Path):
        """A new network with an exported file's weights; raises where a tensor is missing or not its own."""
        model = paddle_logits.hrnet_class()(stages_pattern=["st4"], width=self.width, has_se=self.has_se)
        model.eval()
        missing, unexpected = model.set_state_dict(safetensors.numpy.load_file(path))
        if missing or unexpected:
            raise KeyError(f"{len(missing)} missing: {missing[:3]}; {len(unexpected)} unexpected: {unexpected[:3]}")
        return model

    @staticmethod
    def arrays(model) -> dict:
        return {key: value.numpy() for key, value in model.state_dict().items()}


def differing(framework, model) -> list:
    """The names of the tensors that are not the framework's seeded ones, bit for bit."""
    seeded, loaded = framework.arrays(framework.model), framework.arrays(model)
    return [key for key in seeded if not np.array_equal(seeded[key], loaded[key])]
