"""The learning rate as a pure function of how far the training has come."""

import math

from .recipe import Schedule


def learning_rate(epoch: float, peak: float, schedule: Schedule) -> float:
    """The rate at `epoch`, whose fraction is how far into it.

    From 0 to `peak` in the warm-up, then along a cosine to the final rate.
    """
    if epoch < schedule.warmup_epochs:
        return peak * epoch / schedule.warmup_epochs
    progress = (epoch - schedule.warmup_epochs) / (schedule.epochs - schedule.warmup_epochs)
    return schedule.final_lr + (peak - schedule.final_lr) * (1 + math.cos(math.pi * progress)) / 2
