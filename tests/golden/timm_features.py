"""Makes features.txt: samples of the feature maps of timm's networks on seeded weights, in float32 on one thread.

    golden/bin/python tests/golden/timm_features.py

The environment is that of timm_logits.py. Each line is one map of `timm.create_model(NAME, features_only=True)` on
`seeded.images(SHAPE)`: the network, timm's `feature_location` (`incre`, or `stage4` for the empty one), the stride and channels
of its `feature_info`, the map's mean, its largest absolute value, and values at SAMPLES places, evenly spaced in row-major order.
"""

import numpy as np
import timm
import torch

import cases
import seeded

SHAPE = (1, 3, 64, 96)
SAMPLES = 12
LOCATIONS = {"incre": "incre", "stage4": ""}


@torch.no_grad()
def lines(name: str, location: str) -> list:
    model = timm.create_model(
        cases.TIMM[name], pretrained=False, features_only=True, feature_location=LOCATIONS[location]
    ).eval()
    state = model.state_dict()
    for key, value in state.items():
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.from_numpy(seeded.tensor(key, tuple(value.shape)))
    model.load_state_dict(state)
    maps = model(torch.from_numpy(seeded.images(SHAPE)))
    strides, channels = model.feature_info.reduction(), model.feature_info.channels()
    found = []
    for values, stride, count in zip(maps, strides, channels, strict=True):
        n, _, h, w = SHAPE
        assert values.shape[1] == count, (name, stride)
        assert values.shape[::2] + values.shape[3:] == (n, h // stride, w // stride), (name, stride)
        flat = values.numpy().ravel()
        samples = flat[[place * (flat.size - 1) // (SAMPLES - 1) for place in range(SAMPLES)]]
        numbers = [flat.mean(dtype=np.float64), np.abs(flat).max(), *samples]
        found.append(f"{name} {location} {stride} {values.shape[1]} " + " ".join(f"{v:.7g}" for v in numbers))
    return found


def main():
    torch.set_num_threads(1)
    found = [line for name in cases.TIMM for location in LOCATIONS for line in lines(name, location)]
    (cases.HERE / "features.txt").write_text("\n".join(found) + "\n")


if __name__ == "__main__":
    main()
