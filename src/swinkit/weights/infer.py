"""Infer the spec of a Swin from its tensors.

Fields that follow from no tensor keep their defaults: border policy, drop rates, `qk_scale`. V1's windows
follow from its bias tables: of one axis always; of two axes as squares; of three with a square face,
preferring the published windows. Where a file keeps its index buffers, any window follows exactly. Swin-MLP's
windows are squares of as many tokens as it mixes. Those of V2 and Swin-MoE follow only from the coordinates
that Microsoft and torchvision save beside them; V2-CR's follow from nothing. These can be given.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from torch import Tensor

from ..core.spec import Size, Spec, block_specs
from ..errors import DataError, UsageError
from ..models.catalogue import find_similar
from ..models.families import SpecCR, SpecMLP, SpecMoE, SpecV2
from ..models.given_windows import NONE_GIVEN, GivenWindows
from .buffers import window_of_index, windows_of_coordinates
from .rules import Pattern
from .shared_rules import BLOCK

PUBLISHED_3D = ((8, 7, 7), (16, 7, 7), (8, 12, 12))
MEMBER = Pattern(f"{BLOCK}**")
MAIN_NORM = Pattern(f"{BLOCK}main_norm.weight")


def infer(
    state: Mapping[str, Tensor],
    buffers: Mapping[str, Tensor] | None = None,
    given: GivenWindows = NONE_GIVEN,
) -> Spec:
    """Infer the spec of a state in our names.

    `buffers` are those that a dialect's `Translation` kept. Windows that are `given` replace those found.

    Raises:
        UsageError: the windows do not follow from the tensors; the remedy is to name the variant.
        DataError: the tensors are no Swin's.
    """
    buffers = buffers or {}
    if "embed.proj.weight" in state:
        state = {f"backbone.{name}": tensor for name, tensor in state.items()}
    try:
        return given.change(infer_parts(state, buffers, given))
    except KeyError as error:
        raise DataError(f"these tensors are no whole Swin: {error} is missing") from None
    except (UsageError, DataError):
        raise
    except (ArithmeticError, ValueError, IndexError, RuntimeError) as error:  # from shapes that no Swin has
        raise DataError(f"these tensors are no Swin: {error}") from None


def infer_parts(
    state: Mapping[str, Tensor], buffers: Mapping[str, Tensor], given: GivenWindows = NONE_GIVEN
) -> Spec:
    """Infer the spec from names that begin with `backbone.`; an absent name is a KeyError."""
    embed = state["backbone.embed.proj.weight"]
    axes, first = embed.ndim - 2, BLOCK.format(i=0, j=0)
    if axes not in (1, 2, 3):
        raise DataError(f"a patch embedding of shape {tuple(embed.shape)} is none of 1, 2 or 3 axes")
    depths = depths_of(state)
    absolute = state.get("backbone.position.embedding")
    shared = {
        "patch": tuple(embed.shape[2:]),
        "merge": merge_of(state, axes, len(depths)),
        "in_channels": embed.shape[1],
        "embed_dim": embed.shape[0],
        "depths": depths,
        "mlp_ratio": hidden_of(state, first) / embed.shape[0],
        "patch_norm": "backbone.embed.norm.weight" in state,
        "absolute_grid": None if absolute is None else tuple(absolute.shape[:-1]),
    }
    mixers = [f"backbone.stages.{stage}.blocks.0.token_mixer." for stage in range(len(depths))]
    if f"{first}token_mixer.weight" in state:
        return mlp_spec([state[f"{mixer}weight"] for mixer in mixers], axes, shared)
    if f"{first}token_mixer.bias.mlp.2.bias" in state:
        return cr_spec(state, mixers, shared, given)
    shared["qkv_bias"] = any(f"{first}token_mixer.qkv.{bias}" in state for bias in ("bias", "q_bias"))
    if f"{first}token_mixer.bias.mlp.0.weight" in state:
        return continuous_spec(state, buffers, mixers, shared, given)
    return learned_spec(state, buffers, mixers, shared)


def mlp_spec(weights: list[Tensor], axes: int, shared: dict[str, Any]) -> SpecMLP:
    """Infer a Swin-MLP from the mixing weights (H, N, N) of each stage: N tokens are a square window.

    Raises:
        UsageError: they are none.
    """
    sides = [round(weight.shape[1] ** (1 / axes)) for weight in weights]
    if any(side**axes != weight.shape[1] for side, weight in zip(sides, weights, strict=True)):
        tokens = [weight.shape[1] for weight in weights]
        raise ambiguous(f"windows of {tokens} tokens are no squares", SpecMLP, shared)
    heads = tuple(weight.shape[0] for weight in weights)
    return SpecMLP(**shared, num_heads=heads, window_sizes=tuple((side,) * axes for side in sides))


def cr_spec(
    state: Mapping[str, Tensor], mixers: list[str], shared: dict[str, Any], given: GivenWindows
) -> SpecCR:
    """Infer a V2-CR, whose windows must be given.

    Raises:
        UsageError: they are not.
        DataError: it has norms in other places than any.
    """
    windows = given.sizes(len(mixers))
    if windows is None:
        raise ambiguous("a V2-CR's windows are in none of its tensors", SpecCR, shared)
    del shared["patch_norm"], shared["absolute_grid"]
    heads = tuple(state[f"{mixer}bias.mlp.2.bias"].shape[0] for mixer in mixers)
    spec = SpecCR(**shared, num_heads=heads, window_sizes=windows)
    normed = {(int(v["i"]), int(v["j"])) for name in state if (v := MAIN_NORM.match(name)) is not None}
    for every, stages in product((None, *range(1, 1 + max(spec.depths))), (False, True)):
        made = replace(spec, norm_every=every, norm_stages=stages)
        places = (block for row in block_specs(made) for block in row if made.has_main_norm(block))
        if {(block.stage, block.index) for block in places} == normed:
            return made
    raise DataError("a V2-CR with norms of its main branch in places that none has")


def continuous_spec(
    state: Mapping[str, Tensor],
    buffers: Mapping[str, Tensor],
    mixers: list[str],
    shared: dict[str, Any],
    given: GivenWindows,
) -> Spec:
    """Infer a V2 or a Swin-MoE.

    Raises:
        UsageError: the file has no coordinates, from which the windows would follow.
    """
    kind = SpecV2 if f"{mixers[0]}similarity.log_scale" in state else SpecMoE
    windows = given.sizes(len(mixers))
    known = continuous_windows(mixers, buffers) if windows is None else (windows, windows)
    if known is None:
        lost = "windows of a continuous bias are in no parameter, and the file kept no coordinates"
        raise ambiguous(lost, kind, shared)
    windows, references = known
    numbers = {
        **shared,
        "num_heads": tuple(state[f"{mixer}bias.mlp.2.weight"].shape[0] for mixer in mixers),
        "window_sizes": windows,
        "pretrained_window_sizes": None if references == windows else references,
    }
    if kind is SpecV2:
        return SpecV2(**numbers, norm_every=norm_every_of(state))
    return SpecMoE(**numbers, **routing_of(state, shared["depths"]))


def learned_spec(
    state: Mapping[str, Tensor], buffers: Mapping[str, Tensor], mixers: list[str], shared: dict[str, Any]
) -> Spec:
    """Infer a V1 or Video Swin.

    Raises:
        UsageError: the tables fit no window, or several.
    """
    tables = [state[f"{mixer}bias.table"] for mixer in mixers]
    found = [
        table_window(table, len(shared["patch"]), buffers.get(f"{mixer}bias.index"))
        for table, mixer in zip(tables, mixers, strict=True)
    ]
    windows = tuple(window for window in found if window is not None)
    if len(windows) < len(found):
        rows = [table.shape[0] for table in tables]
        raise ambiguous(f"bias tables of {rows} rows fit no square window, or several windows", Spec, shared)
    return Spec(**shared, num_heads=tuple(table.shape[1] for table in tables), window_sizes=windows)


def ambiguous(reason: str, kind: type[Spec], shared: Mapping[str, Any]) -> UsageError:
    """Return the message for tensors that fit no single model: the reason, and the variants it may be."""
    names = find_similar(kind, shared["patch"], shared["embed_dim"], shared["depths"])
    known = f": {', '.join(names)}" if names else ""
    window = "give them (--window, or window=), or " if kind in (SpecV2, SpecMoE, SpecCR) else ""
    return UsageError(f"{reason}; {window}name the variant (--variant, or variant=){known}")


def norm_every_of(state: Mapping[str, Tensor]) -> int | None:
    """Return the number of blocks of a stage after which a V2 first norms its main branch."""
    found = [values for name in state if (values := MAIN_NORM.match(name)) is not None]
    return min((int(values["j"]) + 1 for values in found), default=None)


def hidden_of(state: Mapping[str, Tensor], block: str) -> int:
    """Return the hidden channels of the channel mixer of the block whose names begin with `block`."""
    experts = state.get(f"{block}channel_mixer.experts.fc1")
    return state[f"{block}channel_mixer.fc1.weight"].shape[0] if experts is None else experts.shape[1]


def depths_of(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Return the number of blocks of each stage."""
    places = {(values["i"], values["j"]) for name in state if (values := MEMBER.match(name)) is not None}
    counts = Counter(stage for stage, _ in places)
    stages = 1 + max((int(stage) for stage in counts), default=-1)
    depths = tuple(counts[i] for i in range(stages))
    absent = [f"{BLOCK.format(i=i, j=j)}norm1.weight" for i, depth in enumerate(depths) for j in range(depth)]
    absent = [name for name in absent if name not in state]
    if absent:
        raise KeyError(absent[0])
    return depths


def merge_of(state: Mapping[str, Tensor], axes: int, stages: int) -> Size:
    """Return the merging factor: 2 along every axis, or all but time (also if there is no merge)."""
    everywhere, spatial = (2,) * axes, (1, 2, 2) if axes == 3 else (2,) * axes
    if stages == 1:
        return spatial
    reduction = state["backbone.stages.0.merge.reduction.weight"]
    factor = reduction.shape[1] / state["backbone.embed.proj.weight"].shape[0]
    for merge in (spatial, everywhere):
        if math.prod(merge) == factor:
            return merge
    raise DataError(f"a merge that joins {factor:g} tokens of {axes} axes is not known")


def table_window(table: Tensor, axes: int, index: Tensor | None) -> Size | None:
    """Return the window of a bias table (R, H), by its index buffer if there is one; None if it is open."""
    count = table.shape[0]
    if index is not None:
        window = window_of_index(index, axes)
        if window is not None and math.prod(2 * w - 1 for w in window) == count:
            return window
    windows = square_faced_windows(count, axes)
    published = [window for window in windows if window in PUBLISHED_3D]
    cubes = [window for window in windows if len(set(window)) == 1]
    for choice in (published, cubes, windows):
        if len(choice) == 1:
            return choice[0]
    return None


def square_faced_windows(count: int, axes: int) -> list[Size]:
    """Return the windows with equal last two axes whose tables have `count` rows."""
    if axes == 1:
        return [((count + 1) // 2,)] if count % 2 else []
    found = []
    for side in range(1, (math.isqrt(count) + 3) // 2):
        depth, remainder = divmod(count, (2 * side - 1) ** 2)
        if remainder == 0 and depth % 2 and (axes == 3 or depth == 1):
            found.append((*((depth + 1) // 2,) * (axes - 2), side, side))
    return found


def continuous_windows(
    mixers: list[str], buffers: Mapping[str, Tensor]
) -> tuple[tuple[Size, ...], tuple[Size, ...]] | None:
    """Return the window of each stage, and the pre-training windows, from a file's coordinates."""
    tables = [buffers.get(f"{mixer}bias.coordinates") for mixer in mixers]
    found = [windows_of_coordinates(table) for table in tables if table is not None]
    if len(found) < len(mixers):
        return None
    return tuple(window for window, _ in found), tuple(reference for _, reference in found)


EXPERTS = Pattern(f"{BLOCK}channel_mixer.experts.fc1")
DENSE_BIAS = Pattern(f"{BLOCK}channel_mixer.fc2.bias")
DENSE = Pattern(f"{BLOCK}channel_mixer.fc2.weight")
EXPERTS_BIAS = Pattern(f"{BLOCK}channel_mixer.experts.fc2_bias")


def routing_of(state: Mapping[str, Tensor], depths: tuple[int, ...]) -> dict[str, Any]:
    """Infer the fields of a `SpecMoE` that follow from its tensors.

    How many experts a token goes to, and who finds a slot, is in none, so those fields keep their defaults.
    """
    places = {(v["i"], v["j"]): name for name in state if (v := EXPERTS.match(name)) is not None}
    fields: dict[str, Any] = {
        "moe_blocks": tuple(
            tuple(block for block in range(depth) if (stage, block) in places)
            for stage, depth in enumerate(depths)
        ),
        **biases(state),
    }
    if not places:
        return fields
    first = next(iter(places.values()))
    keys = state.get(first.replace("experts.fc1", "router.keys"))
    cosine = {} if keys is None else {"router": "cosine", "router_dim": keys.shape[0]}
    return {**fields, **cosine, "num_experts": state[first].shape[0]}


def biases(state: Mapping[str, Tensor]) -> dict[str, bool | None]:
    """Return whether MLPs end in a bias, and whether experts do where they differ."""
    dense, dense_biased, experts, experts_biased = (
        any(pattern.match(name) is not None for name in state)
        for pattern in (DENSE, DENSE_BIAS, EXPERTS, EXPERTS_BIAS)
    )
    if not dense:
        return {"mlp_output_bias": experts_biased}
    alike = not experts or experts_biased == dense_biased
    return {"mlp_output_bias": dense_biased, "expert_output_bias": None if alike else experts_biased}
