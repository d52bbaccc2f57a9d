"""The learning rate as a pure function of how far the training has come. Torch-free."""

import math


def learning_rate(epoch: float, *, peak: float, final: float, warmup: float, epochs: float) -> float:
    """At `epoch` (a fraction is within one): from 0 to `peak` in `warmup` epochs, then along a cosine to `final`."""
    if epoch < warmup:
        return peak * epoch / warmup
    progress = (epoch - warmup) / (epochs - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2
