"""A check and its outcome: the largest difference as a part of the largest absolute value."""

import dataclasses
import pathlib
import re

import numpy as np


def tolerances() -> dict:
    """The zoo's own, from the one place that states them."""
    source = pathlib.Path(__file__).parents[2] / "crates/hrnet/src/precision.rs"
    stated = re.findall(r"Self::(F32|F16|Bf16|Int8)(?: \| Self::\w+)* => (\d\S*e-\d+),", source.read_text())
    assert len(stated) == 4, f"{source} states {stated}"
    return {precision.lower(): float(value) for precision, value in stated}


TOLERANCES = tolerances()
# What weight files are run in.
FLOATS = [precision for precision in TOLERANCES if precision != "int8"]


@dataclasses.dataclass
class Check:
    network: str
    what: str
    precision: str
    error: float = float("inf")
    problem: str = ""

    @property
    def passed(self) -> bool:
        return not self.problem

    def __str__(self) -> str:
        verdict = "ok" if self.passed else f"FAILED: {self.problem}"
        return f"{self.network:20} {self.precision:4} {self.what:50} {self.error:8.1e}  {verdict}"


def compare(network: str, what: str, precision: str, ours, theirs, classes: bool = True) -> Check:
    """Compares what two functions give; whatever one of them raises is the check's problem. With `classes` the
    arrays are logits, whose top-1 is to be equal in f32."""
    check = Check(network, what, precision)
    try:
        got, expected = ours(), theirs()
    except Exception as error:  # A check that cannot run is a failed one; the others still run.
        check.problem = " ".join(f"{type(error).__name__}: {error}".split())
        return check
    if got.shape != expected.shape:
        check.problem = f"the shape is {got.shape}, not {expected.shape}"
        return check
    check.error = float(np.abs(got - expected).max() / np.abs(expected).max())
    if not check.error <= TOLERANCES[precision]:
        check.problem = f"over {TOLERANCES[precision]:.0e}"
    elif classes and precision == "f32" and (got.argmax(1) != expected.argmax(1)).any():
        check.problem = f"top-1 is {got.argmax(1)}, not {expected.argmax(1)}"
    return check


def summary(checks: list) -> str:
    """The largest error of each network and precision, as Markdown."""
    networks = list(dict.fromkeys(check.network for check in checks))
    lines = ["| network | " + " | ".join(TOLERANCES) + " | checks | failed |", "|---|" + "---|" * (len(TOLERANCES) + 2)]
    for network in networks:
        own = [check for check in checks if check.network == network]
        largest = [max((c.error for c in own if c.precision == p), default=None) for p in TOLERANCES]
        cells = ["" if error is None else f"{error:.1e}" for error in largest]
        failed = sum(not check.passed for check in own)
        lines.append(f"| {network} | " + " | ".join(cells) + f" | {len(own)} | {failed} |")
    return "\n".join(lines)
