"""Makes the golden data of pose with mmpose's, OpenCV's and pycocotools' own code.

    python3.11 -m venv mmv
    mmv/bin/pip install --no-deps mmengine==0.10.7 mmcv-lite==2.2.0 mmpose==1.3.2
    mmv/bin/pip install numpy==2.4.6 torch==2.15.0 opencv-python-headless==4.14.0.94 pycocotools==2.0.11 xtcocotools==1.14.3 \
        scipy==1.17.1 PyYAML requests six addict yapf termcolor json_tricks munkres rich matplotlib
    mmv/bin/python tests/golden/pose/make.py

OpenCV must be 4: version 5 interpolates in f32. pip warns that mmpose wants chumpy, torchvision and opencv-python; none is
needed here.

crops.json        boxes, their centres and scales, matrices of both kinds, and the 64-bit FNV-1a of the RGB crops of ../photo.png
warps.json        matrices with rotation and shear, and the FNV-1a of their crops
maps_WxH.npy      heatmaps [23, H, W] in steps of 1/8192, int16: 14 smooth ones, a zero, a negative, a flat one, 6 noisy ones
answers_WxH.json  keypoints in input pixels and scores of each decoder
flips.json        heatmaps of a mirrored crop, turned back
skeletons.json    names, mirrored partners, links and sigmas of each data set
ap/               annotations, detections, what mmpose keeps of them, and the ten figures of COCOeval
"""

import contextlib
import io
import json
import pathlib

import cv2
import numpy as np
import torch

from mmpose_parts import (KEYPOINT_CODECS, CocoMetric, TopdownAffine, bbox_xywh2xyxy, bbox_xyxy2cs, flip_heatmaps,
                          get_udp_warp_matrix, get_warp_matrix, metainfo)
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = pathlib.Path(__file__).parent
PHOTO = cv2.imread(str(HERE.parent / "photo.png"))
SIZES = ((192, 256), (288, 384))
FIGURES = ["ap", "ap50", "ap75", "ap_medium", "ap_large", "ar", "ar50", "ar75", "ar_medium", "ar_large"]


def write(name: str, value, indent=None):
    text = json.dumps(value, indent=indent, separators=(",", ":") if indent is None else None)
    (HERE / name).write_text(text.replace("},{", "},\n{") + "\n")


def fnv1a64(bgr: np.ndarray) -> str:
    value = 0xCBF29CE484222325
    for byte in np.ascontiguousarray(bgr[..., ::-1]).tobytes():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def floats(values) -> list:
    return np.asarray(values, np.float64).ravel().tolist()


# ------------------------------------------------------------------ before the network


def boxes() -> list:
    """x, y, width, height on the photo of 451 x 300: by hand, then at random, half of them whole numbers, which make ties."""
    fixed = [[60, 20, 270.5, 260.25], [330, -40, 190, 310.5], [200.3, 100.7, 8.8, 12.5], [0, 0, 451, 300], [-300, -200, 900, 700],
             [440, 290, 100, 100], [100, 50, 0.5, 200], [225, 150, 1, 1]]
    rng = np.random.default_rng(3)
    for i in range(12):
        box = np.r_[rng.uniform(-100, [350, 290]), rng.uniform(105, 400, 2)]
        fixed.append((np.round(box) if i % 2 else np.round(box, 2)).tolist())
    return fixed


def crops():
    rows = []
    for i, xywh in enumerate(boxes()):
        size = SIZES[i % 2]
        corners = bbox_xywh2xyxy(np.array(xywh, np.float32).reshape(1, 4))
        center, scale = bbox_xyxy2cs(corners, padding=1.25)
        row = {"box": xywh, "size": size}
        for kind, udp in (("msra", False), ("udp", True)):
            results = {"img": PHOTO, "bbox_center": center.copy(), "bbox_scale": scale.copy()}
            results = TopdownAffine(size, use_udp=udp).transform(results)
            center_, scale_ = results["input_center"], results["input_scale"]
            matrix = (get_udp_warp_matrix if udp else get_warp_matrix)(center_, scale_, 0.0, output_size=size)
            assert (cv2.warpAffine(PHOTO, matrix, size, flags=cv2.INTER_LINEAR) == results["img"]).all()
            row |= {"center": floats(center_), "scale": floats(scale_), kind: floats(matrix), f"{kind}_crop": fnv1a64(results["img"])}
        rows.append(row)
    # The network's input: mean and standard deviation as mmpose's data preprocessor takes them, f32 subtracted, then divided.
    mean, std = np.array([123.675, 116.28, 103.53], np.float32), np.array([58.395, 57.12, 57.375], np.float32)
    levels = (np.arange(256, dtype=np.float32)[:, None] - mean) / std
    write("crops.json", {"crops": rows, "levels": [floats(levels[:, c]) for c in range(3)]})


def warps():
    rows = []
    rng = np.random.default_rng(5)
    for angle in (0, 7, 33, 90, 180, 271):
        size = (40, 56)
        matrix = cv2.getRotationMatrix2D((float(rng.uniform(150, 300)), float(rng.uniform(100, 200))), angle, float(rng.uniform(0.1, 3)))
        matrix[:, 2] -= [205, 122]
        matrix[0, 1] += 0.1 * (angle == 33)
        crop = cv2.warpAffine(PHOTO, matrix, size, flags=cv2.INTER_LINEAR)
        rows.append({"matrix": floats(matrix), "size": size, "crop": fnv1a64(crop)})
    write("warps.json", rows)


# ------------------------------------------------------------------ after the network


def maps(width: int, height: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:height, :width]
    w, h = width - 1, height - 1
    places = [[10.3, 15.7], [0.2, 10], [1.4, 10], [w - 0.2, 10], [w - 1.1, 12.6], [10, 0.4], [10.2, 1.3], [11, h], [11.4, h - 1.3], [0, 0],
              [w, h], [15.5, 10.5], [12, 20], [2, 2]]
    values = np.zeros((23, height, width))
    for k, (px, py) in enumerate(places):
        values[k] = 0.9 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) + rng.normal(0, 0.004, (height, width))
    values[12] = 0
    values[12, 20, 12] = values[12, 21, 12] = values[12, 20, 13] = 0.5  # a tie, and zeros elsewhere
    values[14] = 0
    values[15] = -0.25 - 0.1 * rng.random((height, width))
    values[16] = 0.25
    for k in range(17, 23):
        values[k] = 0.05 * rng.random((height, width)) + sum(
            a * np.exp(-((x - rng.uniform(3, w - 3)) ** 2 + (y - rng.uniform(3, h - 3)) ** 2) / 8) for a in (0.6, 0.3, 0.2))
    return np.rint(values * 8192).astype(np.int16)


def offsets(count: int, width: int, height: int) -> np.ndarray:
    """Offsets [count, 2, height, width] that a test repeats without a file."""
    k, a, y, x = np.ogrid[:count, :2, :height, :width]
    return ((k * 31 + a * 17 + y * 7 + x * 13) % 64 - 32).astype(np.float32) / 64


def decoders():
    for width, height in ((24, 32), (36, 48)):
        stored = maps(width, height)
        np.save(HERE / f"maps_{width}x{height}.npy", stored)
        values = stored.astype(np.float32) / 8192
        count = len(values)
        combined = np.concatenate([values[:, None], offsets(count, width, height)], 1).reshape(3 * count, height, width)
        heat = dict(input_size=(4 * width, 4 * height), heatmap_size=(width, height), sigma=2)
        answers = {}
        for kind, codec in (("msra", dict(type="MSRAHeatmap")), ("dark", dict(type="MSRAHeatmap", unbiased=True)),
                            ("dark17", dict(type="MSRAHeatmap", unbiased=True, blur_kernel_size=17)), ("udp", dict(type="UDPHeatmap")),
                            ("offsets", dict(type="UDPHeatmap", heatmap_type="combined"))):
            source = combined if kind == "offsets" else values
            with np.errstate(all="ignore"):
                points, scores = KEYPOINT_CODECS.build({**codec, **heat}).decode(source.copy())
            points = np.where(np.isfinite(points[0]), points[0], -1e9)
            answers[kind] = {"points": [floats(p) for p in points], "scores": floats(scores[0])}
        write(f"answers_{width}x{height}.json", answers)


def flips():
    """Maps [1, K, 4, 5] of the values (17 k + 5 y + x^2) mod 64, turned back with COCO's partners, and for offsets of 51 maps."""
    partners = metainfo("coco")["flip_indices"]
    rows = {}
    for kind, count, mode, shift in (("msra", 17, "heatmap", True), ("udp", 17, "heatmap", False), ("offsets", 51, "udp_combined", False)):
        k, y, x = np.ogrid[:count, :4, :5]
        values = ((17 * k + 5 * y + x * x) % 64).astype(np.float32)
        turned = flip_heatmaps(torch.from_numpy(values)[None], flip_indices=partners, flip_mode=mode, shift_heatmap=shift)
        rows[kind] = [int(v) for v in turned.numpy().ravel()]
    write("flips.json", rows)


# ------------------------------------------------------------------ data sets, AP


def skeletons():
    rows = {}
    configs = {"coco": "coco", "coco-wholebody": "coco_wholebody", "mpii": "mpii", "ap-10k": "ap10k"}
    for name, config in configs.items():
        info = metainfo(config)
        names = [info["keypoint_id2name"][i] for i in range(info["num_keypoints"])]
        rows[name] = {"names": names, "partners": [int(i) for i in info["flip_indices"]],
                      "links": [[int(a), int(b)] for a, b in info["skeleton_links"]], "sigmas": floats(info["sigmas"])}
    write("skeletons.json", rows)


BODY = np.array([[.5, .08], [.53, .06], [.47, .06], [.57, .08], [.43, .08], [.65, .22], [.35, .22], [.72, .38], [.28, .38], [.74, .52],
                 [.26, .52], [.6, .53], [.4, .53], [.61, .75], [.39, .75], [.62, .96], [.38, .96]])


def people(seed: int, count: int):
    """Images with people of all sizes (some of them crowds, some without a labelled keypoint) and detections near them."""
    rng = np.random.default_rng(seed)
    images = [dict(id=int(i), file_name=f"{i:012d}.jpg", width=640, height=480) for i in np.cumsum(rng.integers(3, 200, count))]
    annotations, detections = [], []
    for image in images:
        for _ in range(int(rng.integers(0, 4))):
            h = float(np.exp(rng.uniform(np.log(25), np.log(420))))
            w = h * float(rng.uniform(0.35, 0.6))
            x0, y0 = float(rng.uniform(0, 640 - w)), float(rng.uniform(0, 480 - h))
            seen = rng.choice([0, 1, 2], 17, p=[.2, .2, .6]) * (rng.random() > 0.12)
            truth = BODY * [w, h] + [x0, y0] + rng.normal(0, 0.02 * h, (17, 2))
            points = np.round(truth) * (seen > 0)[:, None]
            annotations.append(dict(id=1000 + len(annotations), image_id=image["id"], category_id=1, iscrowd=int(rng.random() < 0.06),
                                    num_keypoints=int((seen > 0).sum()), bbox=[round(v, 2) for v in (x0, y0, w, h)], area=round(w * h * 0.6, 3),
                                    keypoints=[int(v) for row in np.c_[points, seen] for v in row]))
            first = None
            for again in range(int(rng.choice([0, 1, 1, 1, 2, 3]))):
                spread = float(rng.choice([0.01, 0.03, 0.08, 0.2]))
                first = truth + rng.normal(0, spread * h, (17, 2)) if first is None else first + rng.normal(0, 0.004 * again ** 2 * h, (17, 2))
                detections.append(detection(rng, image, [x0, y0, w, h] + rng.normal(0, 0.03 * h, 4) * [1, 1, .5, .5], first, 0.3, 1))
        if rng.random() < 0.4:  # a false alarm, now and then with no keypoint above 0.2
            box = np.array([rng.uniform(0, 400), rng.uniform(0, 200), rng.uniform(20, 200), rng.uniform(40, 250)])
            detections.append(detection(rng, image, box, BODY * box[2:] + box[:2], 0.2, 0.19 if rng.random() < 0.3 else 0.8))
    # 23 people in one image, of whom 20 count.
    for i in range(23):
        box = np.array([8 + 20 * i, 30, 40, 90 + i])
        detections.append(detection(rng, images[0], box, BODY * box[2:] + box[:2], 0.1, 0.7))
    detections[-1]["score"] = detections[-2]["score"] = detections[3]["score"]  # ties
    order = rng.permutation(len(detections))
    categories = [dict(id=1, name="person", supercategory="person", keypoints=metainfo_names(), skeleton=[])]
    return dict(images=images, annotations=annotations, categories=categories), [detections[i] for i in order]


def metainfo_names() -> list:
    return [metainfo("coco")["keypoint_id2name"][i] for i in range(17)]


def detection(rng, image, box, points, low, high) -> dict:
    scores = rng.uniform(0.02 if high < 1 else 0.05, high, 17)
    keypoints = np.round(np.c_[points, scores], 3)
    return dict(image_id=image["id"], category_id=1, bbox=[round(float(v), 2) for v in box], score=round(float(rng.uniform(low, 1)), 6),
                keypoints=floats(keypoints))


def cocoeval(path, anns) -> dict:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        run = COCOeval(truth, truth.loadRes(json.loads(json.dumps(anns))), "keypoints")
        run.evaluate(), run.accumulate(), run.summarize()
    return dict(zip(FIGURES, map(float, run.stats)))


def kept_by_mmpose(path, detections) -> list:
    samples = []
    for i, d in enumerate(detections):
        corners = bbox_xywh2xyxy(np.array(d["bbox"], np.float32).reshape(1, 4))
        _, scale = bbox_xyxy2cs(corners, padding=1.25)
        scale = TopdownAffine._fix_aspect_ratio(scale, 192 / 256)
        triples = np.array(d["keypoints"], np.float32).reshape(1, 17, 3)
        score = np.array([d["score"]], np.float32)
        samples.append(dict(id=i, img_id=d["image_id"], gt_instances=dict(bbox_scores=score, bbox_scales=scale),
                            pred_instances=dict(keypoints=triples[..., :2].copy(), keypoint_scores=triples[..., 2].copy(), bboxes=corners,
                                                bbox_scores=score)))
    prefix = HERE / "ap" / "kept"
    with contextlib.redirect_stdout(io.StringIO()):
        metric = CocoMetric(ann_file=str(path), outfile_prefix=str(prefix))
        metric.dataset_meta = metainfo("coco")
        metric.process([], samples)
        metric.evaluate(size=len(samples))
    written = pathlib.Path(f"{prefix}.keypoints.json")
    kept = json.loads(written.read_text())
    written.unlink()
    return kept


def ap():
    (HERE / "ap").mkdir(exist_ok=True)
    figures = {}
    for name, seed, count in (("few", 11, 6), ("many", 12, 45)):
        truth, detections = people(seed, count)
        path = HERE / "ap" / f"{name}_annotations.json"
        write(f"ap/{name}_annotations.json", truth)
        write(f"ap/{name}_detections.json", detections)
        kept = kept_by_mmpose(path, detections)
        figures[name] = {
            "raw": cocoeval(path, detections),
            "raw_without_boxes": cocoeval(path, [{k: v for k, v in d.items() if k != "bbox"} for d in detections]),
            "kept": cocoeval(path, kept),
            "kept_scores": sorted([d["image_id"], round(float(d["score"]), 5)] for d in kept),
            "counts": [len(truth["annotations"]), len(detections), len(kept)],
        }
        print(name, figures[name]["counts"], figures[name]["raw"])
    write("ap/figures.json", figures)


def main():
    assert cv2.__version__.startswith("4."), cv2.__version__
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    crops()
    warps()
    decoders()
    flips()
    skeletons()
    ap()


if __name__ == "__main__":
    main()
