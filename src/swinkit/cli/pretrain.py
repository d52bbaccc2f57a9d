"""`swinkit pretrain VARIANT data=... out=...`: learn from pictures without labels, by SimMIM."""

from collections.abc import Sequence

from ..errors import UsageError
from ..recipes.catalogue import find_pretraining
from .arguments import Parser, split_option
from .train import ALL, carry_out, order_of

DESCRIPTION = """Learn from pictures without labels, by reconstructing what is hidden of them (SimMIM).

By the published recipe of the variant where there is one, else by its like with smaller batches. DATA is a
folder or zip of pictures in train/ and val/, in folders of classes or not; RUN the folder of the run, from
which `swinkit train --resume RUN` goes on. Options may be given as key=value."""
EXAMPLE = "swin-pico"


def command(arguments: Sequence[str]) -> int:
    """Train, show the progress, and say where the model is; return the exit code."""
    run, words = split_option("resume", "RUN", arguments)
    if run is not None:
        raise UsageError("a run of any kind goes on by `swinkit train --resume RUN`")
    named, *rest = words if words and not words[0].startswith("-") else (None, *words)
    if named is None and not {"--help", "-h", ALL} & set(words):
        raise UsageError(f"name a variant first, such as {EXAMPLE}; `swinkit models` lists all")
    parser = Parser(f"pretrain {named or 'VARIANT'} data=DATA out=RUN", DESCRIPTION)
    order = order_of(find_pretraining(named or EXAMPLE), rest, parser)
    return carry_out(order, "pretrain", arguments)
