"""Makes awkward images, and what OpenCV and Pillow make of them.

    python -m venv cv && cv/bin/pip install 'opencv-python-headless<5' 'pillow<13' numpy
    cv/bin/python tests/golden/preprocess/make.py

images/        the files; all are cut from ../photo.png, or noise
decoded.txt    name, width, height and 64-bit FNV-1a of the RGB pixels: OpenCV's, then Pillow's
expected/      for each profile the prepared images, each [crop, crop, 3], one above the other in the order of decoded.txt
"""

import io
import pathlib

import cv2
import numpy as np
import PIL
from PIL import Image

HERE = pathlib.Path(__file__).parent
IMAGES = HERE / "images"
PHOTO = Image.open(HERE.parent / "photo.png").convert("RGB")


def photo(width, height):
    """A part of the photo with that aspect ratio, in that size."""
    share = min(PHOTO.width / width, PHOTO.height / height)
    box = (0, 0, max(1, int(width * share)), max(1, int(height * share)))
    return PHOTO.crop(box).resize((width, height), Image.LANCZOS)


def noise(width, height):
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8))


def write_images():
    IMAGES.mkdir(exist_ok=True)
    save = lambda image, name, **options: image.save(IMAGES / name, **options)
    save(noise(1, 1), "size-1x1.png")
    save(noise(1, 40), "size-1x40.png")
    save(noise(40, 1), "size-40x1.png")
    save(noise(17, 23), "size-17x23.png")
    save(photo(131, 97), "size-131x97.png")
    save(photo(128, 160), "size-128x160.png")
    save(photo(256, 64), "size-256x64.png")
    save(photo(40, 160), "size-40x160.png")
    save(photo(64, 64), "size-64x64.png")
    odd = photo(131, 97)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        save(odd, f"jpeg-{name}.jpg", quality=85, subsampling=subsampling)
    save(odd, "jpeg-progressive.jpg", quality=85, progressive=True)
    save(odd, "jpeg-restarts.jpg", quality=85, restart_marker_blocks=3)
    save(odd, "jpeg-profile.jpg", quality=85, icc_profile=b"\0" * 128)
    save(odd.convert("L"), "jpeg-gray.jpg", quality=85)
    save(odd.convert("CMYK"), "jpeg-cmyk.jpg", quality=85)
    # The same inks, said to be luma and chroma: Adobe's marker ends with the transform.
    inks = (IMAGES / "jpeg-cmyk.jpg").read_bytes()
    at = inks.index(b"Adobe") + 11
    assert inks[at] == 0
    (IMAGES / "jpeg-ycck.jpg").write_bytes(inks[:at] + b"\2" + inks[at + 1:])
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(photo(48, 32), f"exif-{orientation}.jpg", quality=85, exif=exif)
    small = photo(61, 45)
    wide = np.asarray(small).astype(np.uint16) * 257 - np.random.default_rng(8).integers(0, 200, (45, 61, 3)).astype(np.uint16) * (np.asarray(small) > 0)
    cv2.imwrite(str(IMAGES / "png-rgb16.png"), wide)
    cv2.imwrite(str(IMAGES / "png-gray16.png"), wide[:, :, 0])
    save(small.convert("L"), "png-gray.png")
    save(small.convert("1"), "png-bits.png")
    palette = small.quantize(37)
    save(palette, "png-palette.png")
    save(palette, "png-palette-clear.png", transparency=bytes(range(0, 222, 6)))
    clear = small.copy()
    clear.putalpha(photo(61, 45).convert("L"))
    save(clear, "png-alpha.png")
    save(clear.convert("LA"), "png-gray-alpha.png")
    save(small, "webp-lossless.webp", lossless=True)
    save(clear, "webp-lossless-alpha.webp", lossless=True, exact=True)
    save(small, "webp-lossy.webp", quality=80)
    save(small, "bmp-24.bmp")
    save(palette, "bmp-8.bmp")
    save(small.convert("L"), "bmp-gray.bmp")


def fnv1a64(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def opencv(data):
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1])


def pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def paddle(data, short, crop):
    """ppcls/data/preprocess/ops/operators.py: ResizeImage and CropImage."""
    image = opencv(data)
    height, width = image.shape[:2]
    percent = float(short) / min(width, height)
    size = int(round(width * percent)), int(round(height * percent))
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    top, left = (image.shape[0] - crop) // 2, (image.shape[1] - crop) // 2
    return image[top : top + crop, left : left + crop]


def timm(data, crop_pct, crop, how):
    """timm/data/transforms_factory.py with torchvision's Resize and CenterCrop of Pillow images."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    short = int(np.floor(crop / crop_pct))
    width, height = image.size
    long = int(short * max(width, height) / min(width, height))
    size = (short, long) if width <= height else (long, short)
    image = np.asarray(image.resize(size, how))
    top, left = int(round((image.shape[0] - crop) / 2.0)), int(round((image.shape[1] - crop) / 2.0))
    return image[top : top + crop, left : left + crop]


PROFILES = {
    "paddle-64-56": lambda data: paddle(data, 64, 56),
    "timm-56-bilinear-0.875": lambda data: timm(data, 0.875, 56, Image.BILINEAR),
    "timm-56-bicubic-0.875": lambda data: timm(data, 0.875, 56, Image.BICUBIC),
    "timm-56-bilinear-0.95": lambda data: timm(data, 0.95, 56, Image.BILINEAR),
    "timm-72-bilinear-1.0": lambda data: timm(data, 1.0, 72, Image.BILINEAR),
}
PHOTO_PROFILES = {
    "paddle-256-224": lambda data: paddle(data, 256, 224),
    "timm-224-bilinear-0.875": lambda data: timm(data, 0.875, 224, Image.BILINEAR),
    "timm-224-bicubic-0.875": lambda data: timm(data, 0.875, 224, Image.BICUBIC),
}


def main():
    print("opencv", cv2.__version__, "pillow", PIL.__version__)
    write_images()
    files = {path.name: path.read_bytes() for path in sorted(IMAGES.iterdir())}
    lines = []
    for name, data in files.items():
        sides = [f"{p.shape[1]} {p.shape[0]} {fnv1a64(p.tobytes())}" for p in (opencv(data), pillow(data))]
        lines.append(f"{name} {' '.join(sides)}\n")
    (HERE / "decoded.txt").write_text("".join(lines))
    expected = HERE / "expected"
    expected.mkdir(exist_ok=True)
    for name, prepare in PROFILES.items():
        stack = np.concatenate([prepare(data) for data in files.values()])
        Image.fromarray(stack).save(expected / f"{name}.png", optimize=True)
    for name, prepare in PHOTO_PROFILES.items():
        Image.fromarray(prepare((HERE.parent / "photo.jpg").read_bytes())).save(expected / f"photo-{name}.png", optimize=True)


if __name__ == "__main__":
    main()
