"""Makes resize.txt: what OpenCV 4's INTER_LINEAR and Pillow's BILINEAR and BICUBIC give for awkward sizes.

    python -m venv cv && cv/bin/pip install 'opencv-python-headless<5' 'pillow<13' numpy
    cv/bin/python crates/kernels/tests/golden/make_resize.py

Pillow 13 filters columns first where an image is more than twice as tall as wide and becomes less tall, which changes
the rounding by one step; accuracies were published with its predecessors.

Byte i of an image is bits 13 to 20 of i * 2654435761 in 32 bits. A line holds source width and height, target width
and height, and the 64-bit FNV-1a of the resized bytes of each.
"""

import pathlib

import cv2
import numpy as np
import PIL
from PIL import Image

SIZES = [
    (1, 1, 5, 7), (1, 9, 4, 3), (9, 1, 3, 4), (2, 2, 7, 5), (3, 5, 3, 5), (5, 3, 256, 427), (17, 23, 16, 22),
    (100, 25, 40, 10), (640, 160, 1024, 256), (500, 375, 341, 256), (451, 300, 385, 256), (375, 500, 256, 341),
    (64, 48, 32, 24), (64, 48, 32, 25), (65, 48, 32, 24), (512, 512, 256, 256), (768, 512, 384, 256), (333, 257, 332, 256),
    (257, 333, 320, 415), (301, 299, 388, 384), (1200, 800, 384, 256), (31, 40, 320, 413),
    (4000, 60, 341, 5), (37, 2000, 3, 171), (1, 400, 1, 33), (256, 300, 256, 77),
]


def fnv1a64(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def main():
    print("opencv", cv2.__version__, "pillow", PIL.__version__)
    lines = []
    for width, height, to_width, to_height in SIZES:
        i = np.arange(width * height * 3, dtype=np.uint64)
        image = ((i * 2654435761 % 2**32) >> 13 & 255).astype(np.uint8).reshape(height, width, 3)
        size = (to_width, to_height)
        results = [cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)]
        results += [Image.fromarray(image).resize(size, how) for how in (Image.BILINEAR, Image.BICUBIC)]
        hashes = " ".join(fnv1a64(result.tobytes()) for result in results)
        lines.append(f"{width} {height} {to_width} {to_height} {hashes}\n")
    (pathlib.Path(__file__).parent / "resize.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
