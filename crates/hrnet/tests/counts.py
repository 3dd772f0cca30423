"""The integers of counts.rs, from the shapes of the layers alone: python3 counts.py prints the table as it stands there.

The network is written down once more here, from the paper and the original configuration files, and shares no code with the
crate. W18, W30 and W48 come to what mmpretrain, the ONNX model zoo and pytorchcv publish of them."""

from dataclasses import dataclass, field


@dataclass
class Counts:
    """What has been seen of one network at 224 x 224."""

    conv: int = 0
    channels: int = 0
    linear: int = 0
    biases: int = 0
    conv_macs: int = 0
    linear_macs: int = 0
    elements: int = 0
    relu: int = 0
    gates: list = field(default_factory=list)

    def unit(self, inputs, outputs, kernel, side, relu):
        """A convolution to maps of `side` pixels a side, with its batch norm, and a ReLU or none."""
        weights = inputs * outputs * kernel * kernel
        self.conv += weights
        self.conv_macs += weights * side * side
        self.channels += outputs
        self.elements += outputs * side * side
        self.relu += outputs * side * side * relu
        return outputs

    def fully(self, inputs, outputs):
        self.linear += inputs * outputs
        self.biases += outputs
        self.linear_macs += inputs * outputs

    def gate(self, channels, reduction):
        if reduction:
            self.fully(channels, channels // reduction)
            self.fully(channels // reduction, channels)

    def bottleneck(self, inputs, middle, side, project, reduction):
        outputs = 4 * middle
        self.unit(inputs, middle, 1, side, 1)
        self.unit(middle, middle, 3, side, 1)
        self.unit(middle, outputs, 1, side, 0)
        self.gate(outputs, reduction)
        if project:
            self.unit(inputs, outputs, 1, side, 0)
        self.relu += outputs * side * side
        return outputs

    def basic(self, channels, side, reduction):
        self.unit(channels, channels, 3, side, 1)
        self.unit(channels, channels, 3, side, 0)
        self.gate(channels, reduction)
        self.relu += channels * side * side


def network(width, reduction=0):
    seen = Counts()
    widths = [width << branch for branch in range(4)]
    sides = [56 >> branch for branch in range(4)]
    seen.unit(3, 64, 3, 112, 1)
    channels = seen.unit(64, 64, 3, 56, 1)
    for block in range(4):
        channels = seen.bottleneck(channels, 64, 56, block == 0, reduction)
    # The first transition makes both branches, later ones a lower one of the lowest.
    seen.unit(channels, widths[0], 3, sides[0], 1)
    seen.unit(channels, widths[1], 3, sides[1], 1)
    for branches, modules in ((2, 1), (3, 4), (4, 3)):
        if branches > 2:
            seen.unit(widths[branches - 2], widths[branches - 1], 3, sides[branches - 1], 1)
        for _ in range(modules):
            for branch in range(branches):
                for _ in range(4):
                    seen.basic(widths[branch], sides[branch], reduction)
            for to in range(branches):
                for source in range(branches):
                    if source > to:
                        # At the lower branch's size, then enlarged.
                        seen.unit(widths[source], widths[to], 1, sides[source], 0)
                    for step in range(source, to):
                        last = step + 1 == to
                        outputs = widths[to] if last else widths[source]
                        seen.unit(widths[source], outputs, 3, sides[step + 1], not last)
                seen.relu += widths[to] * sides[to] ** 2
    middles = [32, 64, 128, 256]
    for branch in range(4):
        seen.bottleneck(widths[branch], middles[branch], sides[branch], True, reduction)
    for branch in range(3):
        seen.unit(4 * middles[branch], 4 * middles[branch + 1], 3, sides[branch + 1], 1)
    seen.unit(1024, 2048, 1, 7, 1)
    seen.fully(2048, 1000)
    return seen


def main():
    names = [f"W{width}" for width in (18, 30, 32, 40, 44, 48, 64)]
    for name in [*names, "SE_W64"]:
        seen = network(int(name.split("W")[1]), 16 if name.startswith("SE") else 0)
        trainable = seen.conv + 2 * seen.channels + seen.linear + seen.biases
        counts = [
            seen.conv,
            seen.channels,
            seen.linear,
            seen.biases,
            trainable,
            trainable + 2 * seen.channels,
            seen.conv_macs,
            seen.conv_macs + seen.linear_macs,
            seen.elements,
        ]
        print(f'    Expected("{name}", {counts}),')
    print([network(int(name[1:])).relu for name in names])


main()
