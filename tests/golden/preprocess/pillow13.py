"""What Pillow 13 makes of tall images, whose columns it filters first.

    python -m venv new && new/bin/pip install 'pillow>=13' numpy
    new/bin/python tests/golden/preprocess/pillow13.py

expected/timm13-56-*.png: [56, 56, 3] for each of IMAGES, one above the other; size-64x64.png is one that is not tall.
"""

import pathlib

import numpy as np
import PIL
from PIL import Image

HERE = pathlib.Path(__file__).parent
IMAGES = ["size-40x160.png", "size-1x40.png", "size-17x23.png", "size-128x160.png", "size-64x64.png"]


def timm(image, crop_pct, crop, how):
    """timm/data/transforms_factory.py with torchvision's Resize and CenterCrop of Pillow images."""
    short = int(np.floor(crop / crop_pct))
    width, height = image.size
    long = int(short * max(width, height) / min(width, height))
    size = (short, long) if width <= height else (long, short)
    image = np.asarray(image.resize(size, how))
    top, left = int(round((image.shape[0] - crop) / 2.0)), int(round((image.shape[1] - crop) / 2.0))
    return image[top : top + crop, left : left + crop]


def tall():
    """The photo made narrow: 90 x 300."""
    photo = Image.open(HERE.parent / "photo.png").convert("RGB")
    return photo.resize((90, 300), Image.LANCZOS)


def main():
    assert int(PIL.__version__.split(".")[0]) >= 13, PIL.__version__
    tall().save(HERE / "images13-90x300.png")
    images = [Image.open(HERE / "images" / name).convert("RGB") for name in IMAGES]
    images.append(Image.open(HERE / "images13-90x300.png").convert("RGB"))
    for name, how in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
        stack = np.concatenate([timm(image, 0.875, 56, how) for image in images])
        Image.fromarray(stack).save(HERE / "expected" / f"timm13-56-{name}-0.875.png", optimize=True)


if __name__ == "__main__":
    main()
