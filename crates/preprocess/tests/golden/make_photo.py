"""Makes photo.rgb and exif.jpg for the tests of decoding.

    python -m venv cv && cv/bin/pip install 'opencv-python-headless<5' pillow numpy
    cv/bin/python crates/preprocess/tests/golden/make_photo.py

photo.rgb holds every 8th pixel of every 8th row of the photo as OpenCV (libjpeg-turbo) decodes it, resizes its short
side to 256 with INTER_LINEAR and crops the centre to 224: 28 x 28 RGB pixels. exif.jpg is 16 x 8 pixels, left half
red, right half blue, with EXIF orientation 6 (turn right): decoded it is 8 x 16 with red above blue.
"""

import pathlib

import cv2
import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
PHOTO = HERE.parents[3] / "tests" / "golden" / "photo.jpg"


def main():
    print("opencv", cv2.__version__)
    image = np.ascontiguousarray(cv2.imread(str(PHOTO), cv2.IMREAD_COLOR)[:, :, ::-1])
    height, width = image.shape[:2]
    percent = 256 / min(height, width)
    image = cv2.resize(image, (round(width * percent), round(height * percent)))
    top, left = (image.shape[0] - 224) // 2, (image.shape[1] - 224) // 2
    (HERE / "photo.rgb").write_bytes(image[top : top + 224 : 8, left : left + 224 : 8].tobytes())

    turned = Image.new("RGB", (16, 8), (255, 0, 0))
    turned.paste((0, 0, 255), (8, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(HERE / "exif.jpg", quality=95, subsampling=0, exif=exif)
    print("opencv decodes exif.jpg as", cv2.imread(str(HERE / "exif.jpg")).shape)


if __name__ == "__main__":
    main()
