"""Models for other input channels than their weights were trained with."""

from dataclasses import replace

from torch import nn

from ..core.patches import CONV
from ..data.preprocess import Preprocess
from ..errors import UsageError
from ..type_check import require_kind
from ..weights.fit import adapt_channels
from ..weights.load import backbone_of
from .simmim.model import SimMIM
from .task import Task


def adapt_model(model: nn.Module, channels: int) -> str:
    """Give a model patch filters for so many input channels, as timm does; return a note.

    For one channel the filters are summed. For more they are repeated in turn, red, green, blue, red, and
    scaled so that equal channels are embedded as before. Mean and standard deviation follow: their averages
    for one channel, else repeated in turn.

    Raises:
        UsageError: `channels` is no number above 0, or the model rebuilds pixels, of as many channels.
    """
    require_kind(channels, int, "channels")
    if channels < 1:
        raise UsageError(f"channels is {channels}; it must be 1 or more")
    swin = backbone_of(model)
    old = swin.spec.in_channels
    if channels == old:
        return f"channels: {old}, as the weights have"
    if isinstance(model, SimMIM):
        raise UsageError(
            f"a masked model rebuilds its {old} channels; begin a classifier by head='new' with labels, or "
            "another pre-training by init="
        )
    before = swin.embed.proj
    made = CONV[before.weight.ndim - 2](
        channels, before.out_channels, before.kernel_size, before.stride, device="meta"
    )
    made.weight = nn.Parameter(adapt_channels(before.weight.detach(), channels))
    made.bias = before.bias
    swin.embed.proj = made
    swin.spec = replace(swin.spec, in_channels=channels)
    if isinstance(model, Task):
        model.preprocess = adapt_preprocess(model.preprocess, channels)
    how = "summed" if channels == 1 else f"repeated in turn, times {old}/{channels}"
    return f"channels: the filters of {old} {how}, for {channels}"


def adapt_preprocess(fit: Preprocess, channels: int) -> Preprocess:
    """Return the preprocessing with mean and standard deviation for so many channels."""

    def adapt(values: tuple[float, ...]) -> tuple[float, ...]:
        if channels == 1:
            return (sum(values) / len(values),)
        return tuple(values[i % len(values)] for i in range(channels))

    return replace(fit, mean=adapt(fit.mean), std=adapt(fit.std))
