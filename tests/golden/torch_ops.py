"""Makes the golden values of operations that an HRNet classifier lacks, by PyTorch in float32 on one thread.

    python -m venv golden && golden/bin/pip install torch numpy
    golden/bin/python tests/golden/torch_ops.py

`runtime/tests/ops.rs` builds the same graphs on the same seeded weights.
"""

import pathlib

import numpy as np
import torch
from torch.nn import functional as F

import seeded

HERE = pathlib.Path(__file__).parent


def weight(name: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(seeded.tensor(f"{name}.weight", shape))


def bias(name: str, count: int) -> torch.Tensor:
    return torch.from_numpy(seeded.tensor(f"{name}.bias", (count,)))


def branches() -> tuple:
    """Maps of 12x20 with 6 channels, and of 6x10 with 8, from seeded images."""
    x = torch.from_numpy(seeded.images((2, 3, 24, 40)))
    high = F.relu(F.conv2d(x, weight("high", 6, 3, 3, 3), stride=2, padding=1))
    low = F.relu(F.conv2d(high, weight("low", 8, 6, 3, 3), stride=2, padding=1))
    return high, low


def concat() -> torch.Tensor:
    high, low = branches()
    maps = torch.cat([high, F.interpolate(low, scale_factor=2, mode="nearest"), high], 1)
    return F.conv2d(maps, weight("mix", 5, 20, 1, 1))


def bilinear(align_corners: bool) -> torch.Tensor:
    """The low map as large as the high one and added to it, then four times as large."""
    high, low = branches()
    low = F.conv2d(low, weight("narrow", 6, 8, 1, 1))
    up = lambda x, factor: F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=align_corners)
    return up(F.relu(F.conv2d(up(low, 2) + high, weight("two", 2, 6, 1, 1))), 4)


def conv_bias() -> torch.Tensor:
    """A bias before a batch norm, which folds it in, and one at the end."""
    high, _ = branches()
    x = F.conv2d(high, weight("mid", 7, 6, 3, 3), bias("mid", 7), padding=1)
    names = ["running_mean", "running_var", "weight", "bias"]
    norm = [torch.from_numpy(seeded.tensor(f"norm.{name}", (7,))) for name in names]
    x = F.relu(F.batch_norm(x, *norm, eps=1e-5))
    return F.conv2d(x, weight("last", 5, 7, 1, 1), bias("last", 5))


CASES = {
    "concat": concat,
    "conv_bias": conv_bias,
    "bilinear": lambda: bilinear(False),
    "bilinear_corners": lambda: bilinear(True),
}


def main():
    torch.set_num_threads(1)
    for name, case in CASES.items():
        np.save(HERE / f"op_{name}.npy", case().numpy())


if __name__ == "__main__":
    main()
