"""The networks and inputs of the golden data, and the table of it in README.md; needs NumPy and OpenCV."""

import pathlib

import cv2
import numpy as np

import seeded

HERE = pathlib.Path(__file__).parent

# The golden name of each network: what timm calls it, or the width of PaddleClas's class with squeeze-and-excitation.
TIMM = {
    "w18": "hrnet_w18",
    "w30": "hrnet_w30",
    "w32": "hrnet_w32",
    "w40": "hrnet_w40",
    "w44": "hrnet_w44",
    "w48": "hrnet_w48",
    "w64": "hrnet_w64",
    "w18_small": "hrnet_w18_small",
    "w18_small_v2": "hrnet_w18_small_v2",
}
PADDLE_SE = {"se_w64": 64}

SHAPES = [(1, 3, 224, 224), (1, 3, 192, 160), (3, 3, 64, 96)]
MORE_SHAPES = {"w18": [(2, 3, 192, 160)]}

FEATURES_SHAPE = (1, 3, 64, 64)


def size(shape: tuple) -> str:
    """`1x224x224` for one image of 224 by 224."""
    return f"{shape[0]}x{shape[2]}x{shape[3]}"


def inputs(network: str) -> dict:
    """The batches a network is run on, by the golden file's name."""
    shapes = SHAPES + MORE_SHAPES.get(network, [])
    batches = {f"{network}_{size(shape)}": seeded.images(shape) for shape in shapes}
    return batches | {f"{network}_photo": photo()}


def photo() -> np.ndarray:
    """`photo.png` as PaddleClas prepares it: INTER_LINEAR to a short side of 256, centre crop of 224,
    (x / 255 - mean) / std in float32."""
    image = cv2.imread(str(HERE / "photo.png"), cv2.IMREAD_COLOR)[:, :, ::-1]
    height, width = image.shape[:2]
    percent = 256 / min(height, width)
    image = cv2.resize(np.ascontiguousarray(image), (round(width * percent), round(height * percent)))
    top, left = (image.shape[0] - 224) // 2, (image.shape[1] - 224) // 2
    image = image[top : top + 224, left : left + 224].astype(np.float32)
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)
    image = (image * np.float32(1 / 255) - mean) / std
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None])


def write(network: str, logits_of) -> None:
    """Saves what the function gives for each of the network's inputs and renews the table."""
    for case, batch in inputs(network).items():
        logits = logits_of(batch)
        assert logits.dtype == np.float32 and logits.shape == (len(batch), 1000), case
        np.save(HERE / f"{case}.npy", logits)
        print(row(network, case))
    write_table()


def row(network: str, case: str) -> str:
    logits = np.load(HERE / f"{case}.npy")
    top = np.sort(logits, axis=1)
    gap = (top[:, -1] - top[:, -2]).min()
    made_by = f"timm's `{TIMM[network]}`" if network in TIMM else "PaddleClas's `HRNet` with `has_se`"
    return f"| `{case}` | {made_by} | {np.abs(logits).max():.4f} | {logits.std():.4f} | {gap:.4f} |"


def write_table() -> None:
    """Writes the rows of all golden logits there are into README.md, after the table's head."""
    readme = HERE / "README.md"
    head, rule, _ = readme.read_text().partition("|---|---|---|---|---|\n")
    shapes = {network: SHAPES + MORE_SHAPES.get(network, []) for network in TIMM | PADDLE_SE}
    cases = [(n, f"{n}_{end}") for n in shapes for end in [*map(size, shapes[n]), "photo"]]
    rows = [row(n, case) for n, case in cases if (HERE / f"{case}.npy").exists()]
    readme.write_text(head + rule + "\n".join(rows) + "\n")
