"""The seeded weights of the zoo in NumPy: the twin of `hrnet::SeededWeights`, for scripts that make golden data."""

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def fnv1a64(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def uniform(name: str, count: int, seed: int = 0) -> np.ndarray:
    """`count` numbers in [0, 1) with 24 bits, f64."""
    with np.errstate(over="ignore"):
        start = np.uint64(fnv1a64(name)) ^ (np.uint64(seed) * GOLDEN)
        x = start + np.arange(count, dtype=np.uint64) * GOLDEN + GOLDEN
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(40)).astype(np.float64) / 2**24


def tensor(name: str, shape: tuple, seed: int = 0) -> np.ndarray:
    """The float32 tensor of this canonical (timm) name; its kind follows from name and rank."""
    u = uniform(name, int(np.prod(shape)), seed).reshape(shape)
    if name.endswith("weight") and len(shape) >= 2:
        values = (2 * u - 1) * np.sqrt(6 / np.prod(shape[1:]))
        # Odd input channels mirror the even ones before them; a last unpaired channel keeps its own values.
        pairs = shape[1] // 2
        values[:, 1 : 2 * pairs : 2] = -values[:, 0 : 2 * pairs : 2]
    elif name.endswith("weight"):
        values = 0.3 + 0.6 * u
    elif name.endswith("running_var"):
        values = 0.5 + u
    else:
        values = (2 * u - 1) * 0.02
    return values.astype(np.float32)


def images(shape: tuple) -> np.ndarray:
    """A made-up batch `[n, 3, h, w]` in -2 to 2, float32: the tensor named `input`."""
    return ((2 * uniform("input", int(np.prod(shape))) - 1) * 2).astype(np.float32).reshape(shape)
