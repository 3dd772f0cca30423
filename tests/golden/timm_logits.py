"""Makes the golden logits and features of timm's networks on seeded weights, in float32 on one thread.

    python -m venv golden && golden/bin/pip install -r tests/parity/requirements.txt
    golden/bin/python tests/golden/timm_logits.py [NETWORK ...]

The networks are made with `head_conv_bias=False`, which is Paddle's form.
"""

import sys

import numpy as np
import timm
import torch

import cases
import seeded


def network(name: str, head_conv_bias: bool = False) -> torch.nn.Module:
    """timm's network of this (timm) name on seeded weights, in evaluation mode."""
    model = timm.create_model(name, pretrained=False, head_conv_bias=head_conv_bias).eval()
    state = model.state_dict()
    for key, value in state.items():
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.from_numpy(seeded.tensor(key, tuple(value.shape)))
    model.load_state_dict(state)
    return model


@torch.no_grad()
def logits(model: torch.nn.Module, batch: np.ndarray) -> np.ndarray:
    return model(torch.from_numpy(batch)).numpy()


@torch.no_grad()
def features(model: torch.nn.Module, batch: np.ndarray) -> list:
    """The outputs of the branches of stage 4, finest first."""
    kept = []
    hook = model.stage4.register_forward_hook(lambda module, args, output: kept.extend(output))
    model(torch.from_numpy(batch))
    hook.remove()
    return [branch.numpy() for branch in kept]


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or cases.TIMM:
        model = network(cases.TIMM[name])
        cases.write(name, lambda batch: logits(model, batch))
        if name == "w18":
            for branch, values in enumerate(features(model, seeded.images(cases.FEATURES_SHAPE))):
                np.save(cases.HERE / f"{name}_features_{branch}_{cases.size(cases.FEATURES_SHAPE)}.npy", values)


if __name__ == "__main__":
    main()
