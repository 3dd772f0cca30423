"""Makes the golden logits: timm's own networks on seeded weights, in float32 on one thread.

    python -m venv timm && timm/bin/pip install timm==1.0.31 torch==2.15.0 'opencv-python-headless<5' numpy
    timm/bin/python tests/golden/make_logits.py

The networks are made with `head_conv_bias=False`, which is Paddle's form. Inputs are `seeded.images`, and for
`photo` the file `photo.jpg` prepared as PaddleClas does it: OpenCV's decoder, INTER_LINEAR to a short side of 256,
centre crop of 224, (x / 255 - mean) / std in float32.
"""

import pathlib

import cv2
import numpy as np
import timm
import torch

import seeded

HERE = pathlib.Path(__file__).parent
CASES = [
    ("w18_1x224x224", "hrnet_w18", (1, 3, 224, 224)),
    ("w32_1x224x224", "hrnet_w32", (1, 3, 224, 224)),
    ("w48_1x224x224", "hrnet_w48", (1, 3, 224, 224)),
    ("w18_2x192x160", "hrnet_w18", (2, 3, 192, 160)),
]


def network(name: str) -> torch.nn.Module:
    model = timm.create_model(name, pretrained=False, head_conv_bias=False).eval()
    state = model.state_dict()
    for key, value in state.items():
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.from_numpy(seeded.tensor(key, tuple(value.shape)))
    model.load_state_dict(state)
    return model


def photo() -> np.ndarray:
    image = cv2.imread(str(HERE / "photo.jpg"), cv2.IMREAD_COLOR)[:, :, ::-1]
    height, width = image.shape[:2]
    percent = 256 / min(height, width)
    image = cv2.resize(np.ascontiguousarray(image), (round(width * percent), round(height * percent)))
    top, left = (image.shape[0] - 224) // 2, (image.shape[1] - 224) // 2
    image = image[top : top + 224, left : left + 224].astype(np.float32)
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)
    image = (image * np.float32(1 / 255) - mean) / std
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None])


def main():
    torch.set_num_threads(1)
    print("torch", torch.__version__, "timm", timm.__version__, "opencv", cv2.__version__)
    inputs = [(case, name, seeded.images(shape)) for case, name, shape in CASES]
    for case, name, batch in inputs + [("w18_photo", "hrnet_w18", photo())]:
        with torch.no_grad():
            logits = network(name)(torch.from_numpy(batch)).numpy()
        np.save(HERE / f"{case}.npy", logits)
        top = np.sort(logits, axis=1)
        gap = (top[:, -1] - top[:, -2]).min()
        print(f"{case}: largest {np.abs(logits).max():.4f}, std {logits.std():.4f}, top-1 gap {gap:.4f}, "
              f"top-1 {logits.argmax(1)}")


if __name__ == "__main__":
    main()
