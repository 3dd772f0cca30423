"""Full-size weight files of the frameworks, read and run by the zoo; features on the way."""

import checks
import seeded

SHAPE = (2, 3, 192, 160)


def files(network: str, frameworks: list, zoo, precisions: list):
    """Each file in each precision against the logits of the framework that wrote it."""
    batch = seeded.images(SHAPE)
    for framework in frameworks:
        for file in framework.files():
            path = zoo.folder / f"weights{file.suffix}"
            file.write(path)
            expected = framework.logits(file.model, batch)
            for precision in precisions:
                yield checks.compare(network, f"{framework.label} {file.what}", precision,
                                     lambda: zoo.infer(network, path, batch, precision), lambda: expected)
            path.unlink()


def features(network: str, frameworks: list, zoo, stage4_modules: int):
    """What the four branches of stage 4 give."""
    batch = seeded.images(SHAPE)
    for framework in frameworks:
        for branch, expected in enumerate(framework.features(framework.model, batch)):
            node = f"stage4.{stage4_modules - 1}.fuse_layers.{branch}.relu"
            yield checks.compare(network, f"{framework.label} {node}", "f32",
                                 lambda: zoo.infer(network, "seeded:0", batch, at=node), lambda: expected,
                                 classes=False)
