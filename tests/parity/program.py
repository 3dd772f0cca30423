"""The `zoo` program, run as a user runs it."""

import os
import pathlib
import subprocess

import numpy as np


class Zoo:
    """Runs one binary; `folder` takes the arrays that pass in and out."""

    def __init__(self, binary: pathlib.Path, folder: pathlib.Path, backend: str):
        self.binary, self.folder, self.backend = binary, folder, backend

    def infer(self, network: str, weights, batch: np.ndarray, precision: str = "f32", at: str = None) -> np.ndarray:
        """The logits, or what the node `at` gives."""
        given, made = self.folder / "given.npy", self.folder / "made.npy"
        np.save(given, batch)
        made.unlink(missing_ok=True)
        options = ["--backend", self.backend, *(["--at", at] if at else [])]
        if threads := os.environ.get("OMP_NUM_THREADS"):
            options += ["--threads", threads]
        self.run("infer", "--model", network, "--weights", weights, "--precision", precision, "--input", given,
                 "--output", made, *options)
        return np.load(made)

    def photo(self) -> np.ndarray:
        """A photo as PaddleClas makes a batch of it."""
        photo, made = pathlib.Path(__file__).parents[1] / "golden/photo.jpg", self.folder / "photo.npy"
        self.run("preprocess", photo, "--preprocess", "paddle-224", "--output", made)
        return np.load(made)

    def export(self, network: str, weights, output: pathlib.Path, *options) -> pathlib.Path:
        """The file that `zoo export` wrote."""
        self.run("export", network, "--weights", weights, "--output", output, *options)
        return output

    def run(self, *arguments) -> None:
        command = [str(self.binary), "--offline", "--color", "never", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            said = " ".join(done.stderr.split())
            raise RuntimeError(f"`zoo {' '.join(map(str, arguments))}` gave {done.returncode}: {said}")
