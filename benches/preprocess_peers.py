"""What OpenCV, Pillow and torchvision take for a photo, one thread; `preprocess_peers.rs` runs it in turns with ours.

    python preprocess_peers.py FOLDER

Writes small.jpg (500 x 375) and large.jpg (4000 x 3000) to the folder unless they are there, and prints a line for each
photo and library: photo, library, ms to decode, ms to resize, crop and normalise to a float32 NCHW array.
"""

import io
import pathlib
import sys
import time

import cv2
import numpy as np
from PIL import Image

try:
    import torch
    import torchvision.transforms.v2 as tv
    from torchvision.io import ImageReadMode, decode_jpeg

    torch.set_num_threads(1)
except ImportError:
    torch = None

cv2.setNumThreads(1)
SIZES = {"small": (500, 375), "large": (4000, 3000)}
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def photo(name, folder):
    path = folder / f"{name}.jpg"
    if not path.exists():
        base = Image.open(pathlib.Path(__file__).parent / "../tests/golden/photo.png").convert("RGB")
        pixels = np.asarray(base.resize(SIZES[name], Image.BICUBIC)).astype(np.float32)
        pixels += np.random.default_rng(1).normal(0, 6, pixels.shape)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return path.read_bytes()


def normalized(image):
    image = image.astype(np.float32)
    image *= np.float32(1 / 255)
    image -= MEAN
    image /= STD
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def sides(width, height):
    return (int(256 * width / height), 256) if height < width else (256, int(256 * height / width))


def opencv_prepare(image):
    image = cv2.resize(image, sides(image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    top, left = (image.shape[0] - 224) // 2, (image.shape[1] - 224) // 2
    return normalized(image[top : top + 224, left : left + 224, ::-1])


def pillow_prepare(image):
    image = image.resize(sides(*image.size), Image.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    return normalized(np.asarray(image.crop((left, top, left + 224, top + 224))))


def libraries():
    yield "opencv", lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), opencv_prepare
    yield "pillow", lambda data: Image.open(io.BytesIO(data)).convert("RGB"), pillow_prepare
    if torch:
        steps = [tv.Resize(256, antialias=True), tv.CenterCrop(224), tv.ToDtype(torch.float32, scale=True)]
        prepare = tv.Compose([*steps, tv.Normalize(MEAN.tolist(), STD.tolist())])
        tensor = lambda data: decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
        yield "torchvision", tensor, prepare


def best_ms(work):
    best = float("inf")
    until = time.perf_counter() + 1.0
    while time.perf_counter() < until:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in SIZES:
        data = photo(name, folder)
        for library, decode, prepare in libraries():
            image = decode(data)
            print(name, library, f"{best_ms(lambda: decode(data)):.4f}", f"{best_ms(lambda: prepare(image)):.4f}")


if __name__ == "__main__":
    main()
