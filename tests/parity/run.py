"""Compares the zoo with timm, PaddlePaddle and ONNX Runtime, end to end. README.md says how to run it."""

import argparse
import functools
import gc
import pathlib
import sys
import tempfile

import away
import checks
import frameworks as real
import weights
from program import Zoo

ROOT = pathlib.Path(__file__).parents[2]

# The zoo's variants with networks of their own: timm's name, PaddleClas's width, modules of stage 4.
NETWORKS = {f"HRNet_W{width}_C": (f"hrnet_w{width}", (width, False), 3) for width in (18, 30, 32, 40, 44, 48, 64)}
NETWORKS["SE_HRNet_W64_C_ssld"] = (None, (64, True), 3)
NETWORKS["hrnet_w18_small"] = ("hrnet_w18_small", None, 1)
NETWORKS["hrnet_w18_small_v2"] = ("hrnet_w18_small_v2", None, 2)

PARTS = ["files", "features", "onnx", "int8", "renamed"]


def run(network: str, parts: list, precisions: list, zoo: Zoo):
    """The network's checks, one after another."""
    timm, paddle, stage4_modules = NETWORKS[network]
    frameworks = [real.Timm(timm)] if timm else []
    frameworks += [real.Paddle(*paddle)] if paddle else []
    if "files" in parts:
        yield from weights.files(network, frameworks, zoo, precisions)
    if "features" in parts:
        yield from weights.features(network, frameworks, zoo, stage4_modules)
    if "onnx" in parts:
        yield from away.onnx_files(network, zoo)
    if "int8" in parts:
        yield from away.int8_files(network, zoo)
    if "renamed" in parts:
        yield from away.renamed(network, frameworks, zoo)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    several = functools.partial(parser.add_argument, action="append")
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"any of {', '.join(NETWORKS)}; without it all")
    parser.add_argument("--zoo", type=pathlib.Path, default=ROOT / "target/release/zoo", help="the program")
    parser.add_argument("--backend", default="candle", help="what runs the networks, as `zoo infer` names it")
    parser.add_argument("--f32-tolerance", type=float, help="for a backend that states one of its own, as `cpu` does")
    several("--part", choices=PARTS, help="only this part; may be given again")
    several("--precision", choices=checks.FLOATS, help="for files only this; may be given again")
    given = parser.parse_args()
    if unknown := [name for name in given.networks if name not in NETWORKS]:
        parser.error(f"no network is called {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    if not given.zoo.is_file():
        parser.error(f"there is no program at {given.zoo}; build it with `cargo build --release -p zoo`")
    return given


def main() -> int:
    given = arguments()
    done = []
    if given.f32_tolerance:
        checks.TOLERANCES["f32"] = given.f32_tolerance
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        zoo = Zoo(given.zoo.resolve(), pathlib.Path(folder), given.backend)
        for network in given.networks or NETWORKS:
            for check in run(network, given.part or PARTS, given.precision or checks.FLOATS, zoo):
                print(check, flush=True)
                done.append(check)
            gc.collect()
    print(f"\n{checks.summary(done)}")
    return int(any(not check.passed for check in done))


if __name__ == "__main__":
    sys.exit(main())
