"""Imports the parts of mmpose 1.3.2 that the golden data of pose come from, and stands in for what they import and never call.

Nothing on disk is patched: the stand-ins are put into `sys.modules`.
"""

import contextlib
import io
import sys
import types
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")


class Absent:
    def __init__(self, *args, **kwargs):
        raise RuntimeError("a stand-in of mmpose_parts.py was called")


def stand_in(name: str, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    module.__path__ = []
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)


with contextlib.redirect_stderr(io.StringIO()):
    import mmcv  # noqa: F401
# mmcv-lite has no compiled operations; some heads import them unguarded.
stand_in("mmcv.ops", MultiScaleDeformableAttention=Absent, DeformConv2d=Absent, ModulatedDeformConv2d=Absent)
stand_in("mmcv.ops.multi_scale_deform_attn", MultiScaleDeformableAttention=Absent)
stand_in("torchvision")
stand_in("torchvision.transforms", ToPILImage=Absent)
stand_in("mmdet")
stand_in("mmdet.utils", ConfigType=dict, reduce_mean=Absent)
# xtcocotools' wheel is built against NumPy 1. Keypoints use no masks, so pycocotools' module serves.
import pycocotools._mask  # noqa: E402

sys.modules["xtcocotools._mask"] = pycocotools._mask

import mmpose  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from mmpose.datasets.datasets.utils import parse_pose_metainfo  # noqa: E402
from mmpose.evaluation.metrics import CocoMetric  # noqa: E402, F401
from mmpose.models.utils.tta import flip_heatmaps  # noqa: E402, F401
from mmpose.registry import KEYPOINT_CODECS  # noqa: E402, F401
from mmpose.structures.bbox import bbox_xywh2xyxy, bbox_xyxy2cs, get_udp_warp_matrix, get_warp_matrix  # noqa: E402, F401
from mmpose.datasets.transforms import TopdownAffine  # noqa: E402, F401
from mmpose.utils import register_all_modules  # noqa: E402

register_all_modules()
init_default_scope("mmpose")
DATASETS = Path(mmpose.__file__).parent / ".mim/configs/_base_/datasets"


def metainfo(name: str) -> dict:
    return parse_pose_metainfo(dict(from_file=str(DATASETS / f"{name}.py")))
