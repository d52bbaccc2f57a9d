"""Cases of loading: what the reference's loader makes of one model's weights in another model.

Source and target are twins of the reference's models. The target is filled as the case says it was before,
our loader does what theirs did, and the whole is written back under the reference's names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from swinkit.core.backbone import Swin
from swinkit.core.borders import BORDERS
from swinkit.core.spec import Size, block_specs
from swinkit.data.imagenet import CLASSES_1K, MAPPABLE
from swinkit.errors import DataError
from swinkit.weights.dialect_table import DIALECTS, detect
from swinkit.weights.load import BACKBONE, canonical, export_weights, load_weights

from . import microsoft, naming, openmmlab
from .case import Case
from .options import sizes
from .reference import Reference

BUFFERS = ("relative_position_index", "relative_coords_table", "attn_mask")
HEAD_KINDS = {"mapped": "map22kto1k", "new": "head_mismatch_zero", "same": "head"}  # where it is all there is

State = dict[str, Tensor]
Twin = Callable[[dict[str, Any]], Reference]


@dataclass(frozen=True)
class Loader:
    """A reference's loading function: what it proves, both models, and where the case has them."""

    kind: str
    source: Twin
    target: Twin
    constructors: tuple[str, str] = ("source_checkpoint", "target_model")
    prefix: str = "checkpoint."  # of the file's tensors among the inputs


LOADERS = {  # of microsoft: whether it is SimMIM's, and whether it is V2's
    (False, False): Loader("resize_load_pretrained", microsoft.v1, microsoft.v1),
    (False, True): Loader("resize_load_pretrained_v2", microsoft.v2, microsoft.v2),
    (True, False): Loader("simmim_geo_resize", microsoft.v1, microsoft.v1),
    (True, True): Loader("simmim_geo_resize_v2", microsoft.v2, microsoft.v2),
}
VIDEO = Loader("video_inflate", microsoft.v1, openmmlab.video, ("model2d", "model3d"), "checkpoint2d.")


def find(about: dict[str, Any]) -> Loader | None:
    """Return the loader that the case describes by its two constructors; None for another kind of case."""
    constructor = about.get("constructor")
    repo, file, kind = naming.told(about)
    if not isinstance(constructor, dict):
        return None
    if constructor.keys() & set(VIDEO.constructors):
        return VIDEO
    if not constructor.keys() & set(Loader.constructors) or not repo.startswith("microsoft/"):
        return None
    if kind.startswith(("SwinMLP", "SwinTransformerMoE")):
        return None
    return LOADERS["simmim" in f"{repo} {file}".lower(), kind.startswith("SwinTransformerV2")]


def loaded(case: Case, loader: Loader) -> tuple[str, State]:
    """Return the kind of the case, and our model after loading, in the reference's names with its buffers.

    The file's names and the way of its tables are told as for any file.

    Raises:
        DataError: the case lacks one of its two constructors, or its tensors are of other models.
    """
    try:
        options = [case.about["constructor"][key] for key in loader.constructors]
    except (KeyError, TypeError) as error:
        raise DataError(f"{case.folder / 'case.json'} has no constructor {error}") from error
    source, target = loader.source(options[0]), loader.target(options[1])
    before = filled(target, inputs(case, "model_before."))
    load_weights(target.model, before, dialect=target.dialect)
    file = inputs(case, loader.prefix)
    if not any(name.endswith("patch_embed.proj.weight") for name in file):
        file = filled(source, file)  # of a case that keeps the head alone
    head = reference_way(classes(file), classes(before))
    dialect = detect(file).name
    load_weights(target.model, not_strict(file, before, target, dialect), dialect=dialect, head=head)
    found = export_weights(target.model, target.dialect)
    if target.dialect == "microsoft":
        found |= masks(target.backbone, grid({**microsoft.COMMON, **options[1]}))
    alone = all(name.startswith("head.") for name in case.outputs)
    return (HEAD_KINDS[head] if alone else loader.kind), found


def inputs(case: Case, prefix: str) -> State:
    """Return the inputs whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): x for name, x in case.inputs.items() if name.startswith(prefix)}


def filled(reference: Reference, given: State) -> State:
    """Return the twin's own tensors in its library's names, those `given` in their place."""
    return export_weights(reference.model, reference.dialect) | given


def not_strict(file: State, before: State, target: Reference, dialect: str) -> State:
    """`file` without what the target has no place for, and with what it alone has as it was `before`.

    So do the references' loaders, which go by names that both models share. Ours takes a file whole or not.
    """
    own = canonical(target.model)
    match = DIALECTS[dialect].match(file)
    assert match is not None
    homeless = {
        theirs
        for theirs, ours in match.renamed.items()
        if not any(name in own or not name.startswith(BACKBONE) for name in ours)
    }
    kept = {
        match.prefix + name: x
        for name, x in before.items()
        if not name.endswith(BUFFERS) and not name.startswith("head.")  # which `head` is about
    }
    return kept | {name: x for name, x in file.items() if name not in homeless}


def classes(state: State) -> int:
    """Of the classifier in `state`; 0 if it has none."""
    return len(state["head.bias"]) if "head.bias" in state else 0


def reference_way(theirs: int, ours: int) -> str:
    """Return how Microsoft's loader treats a head, by the two numbers of classes."""
    if theirs in MAPPABLE and ours == CLASSES_1K:
        return "mapped"
    return "same" if theirs == ours else "new"


def grid(options: dict[str, Any]) -> Size:
    """Of the first stage."""
    pairs = zip(sizes(options["img_size"]), sizes(options["patch_size"]), strict=True)
    return tuple(size // patch for size, patch in pairs)


def masks(backbone: Swin, grid: Size) -> State:
    """Return the `attn_mask` of each block that shifts on this grid, a buffer that depends on resolution."""
    found = {}
    for row in block_specs(backbone.spec):
        for place in row:
            layout = BORDERS[backbone.spec.border](grid, place.window, place.shift)
            mask = layout.mask()
            if mask is not None:
                found[f"layers.{place.stage}.blocks.{place.index}.attn_mask"] = mask
        grid = tuple(size // 2 for size in grid)
    return found
