"""The recipes by name. Torch-free."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

from ..errors import UsageError
from ..models.catalogue import find_variant as find_variant
from ..models.catalogue import suggest
from ..settings.recipe import Recipe
from .giant import giant_at_640_pixels, giant_pretraining, giant_with_labels
from .imagenet import at_384_pixels, experts_on_22k, from_22k_to_1k, from_scratch, on_22k
from .simmim import any_pretraining, finetuning, pretraining, short_pretraining
from .tiny import on_cifar10, on_few, on_label_sets, on_numbers

SCRATCH = (
    *("swin-t", "swin-s", "swin-b", "swin-t-c24-w8-256"),
    *("swinv2-t", "swinv2-s", "swinv2-b", "swinv2-t-w16", "swinv2-s-w16", "swinv2-b-w16"),
    *("swin-mlp-t-c24", "swin-mlp-t-c12", "swin-mlp-t-c6", "swin-mlp-b"),
)
ON_22K = {  # variant: weight decay
    **dict.fromkeys(("swin-t", "swin-s", "swin-b", "swin-l"), 0.05),
    **dict.fromkeys(("swinv2-b-w12-192", "swinv2-l-w12-192"), 0.1),
}
FROM_22K = {  # variant: the one whose weights it begins with
    **{name: name for name in ("swin-t", "swin-s", "swin-b", "swin-l", "swin-b-w12-384", "swin-l-w12-384")},
    **{
        f"swinv2-{size}-{window}-from12": f"swinv2-{size}-w12-192"
        for size in "bl"
        for window in ("w16", "w24")
    },
}
EXPERTS = {  # variant: whether its weights are published
    **dict.fromkeys((f"swin-moe-s-{kind}" for kind in ("dense", "8e", "16e", "32e", "32e-cosine")), True),
    "swin-moe-s-64e": False,
    **dict.fromkeys((f"swin-moe-b-{kind}" for kind in ("dense", "8e", "16e", "32e", "32e-cosine")), False),
}


@dataclass(frozen=True)
class Entry:
    """Row of the table: the function that makes a recipe, and its published checkpoint, if any."""

    make: Callable[..., Recipe]
    arguments: tuple[Any, ...] = ()
    checkpoint: str | None = None

    def __call__(self) -> Recipe:
        """Return the recipe."""
        return self.make(*self.arguments)

    @property
    def story(self) -> str:
        """Description of the training in words: subject, command, hardware, hours and result."""
        return cleandoc(self.make.__doc__ or "")

    @property
    def title(self) -> str:
        """First sentence of the story, without its full stop."""
        return self.story.partition(".\n")[0]


RECIPES: dict[str, Entry] = {
    "cifar10-swin-pico": Entry(on_cifar10, ("swin-pico",), "swin-pico/cifar-10"),
    "cifar10-swinv2-pico": Entry(on_cifar10, ("swinv2-pico",)),
    "finetune-swin-pico": Entry(on_few, ("swin-pico", "swin-pico/cifar-10")),
    "finetune-multi-label-swin-pico": Entry(on_label_sets, ("swin-pico", "swin-pico/cifar-10")),
    "finetune-regression-swin-pico": Entry(on_numbers, ("swin-pico", "swin-pico/cifar-10")),
    **{f"imagenet-{name}": Entry(from_scratch, (name,), f"{name}/imagenet-1k") for name in SCRATCH},
    "imagenet-swin-b-w12-384": Entry(at_384_pixels, ("swin-b-w12-384",), "swin-b-w12-384/imagenet-1k"),
    **{
        f"imagenet-22k-{name}": Entry(on_22k, (name, decay), f"{name}/imagenet-22k")
        for name, decay in ON_22K.items()
    },
    **{
        f"imagenet-22k-1k-{name}": Entry(
            from_22k_to_1k, (name, f"{start}/imagenet-22k"), f"{name}/imagenet-22k-1k"
        )
        for name, start in FROM_22K.items()
    },
    **{
        f"imagenet-22k-{name}": Entry(experts_on_22k, (name,), f"{name}/imagenet-22k" if released else None)
        for name, released in EXPERTS.items()
    },
    "simmim-swin-b-w6-192": Entry(pretraining, ("swin-b-w6-192", 0.0), "swin-b-w6-192/simmim-imagenet-1k"),
    "simmim-swin-l-w12-192": Entry(pretraining, ("swin-l-w12-192", 0.0), "swin-l-w12-192/simmim-imagenet-1k"),
    "simmim-swinv2-b-w12-192": Entry(pretraining, ("swinv2-b-w12-192", 0.1)),
    "simmim-swin-b-w6-192-100ep": Entry(
        short_pretraining, ("swin-b-w6-192",), "swin-b-w6-192/simmim-imagenet-1k-100ep"
    ),
    "simmim-imagenet-swin-b": Entry(
        finetuning, ("swin-b", "swin-b-w6-192/simmim-imagenet-1k", 0.8), "swin-b/imagenet-1k-simmim"
    ),
    "simmim-imagenet-swin-b-100ep": Entry(
        finetuning,
        ("swin-b", "swin-b-w6-192/simmim-imagenet-1k-100ep", 0.9),
        "swin-b/imagenet-1k-simmim-100ep",
    ),
    "simmim-imagenet-swin-b-w6-192-100ep": Entry(
        finetuning,
        ("swin-b-w6-192", "swin-b-w6-192/simmim-imagenet-1k-100ep", 0.9),
        "swin-b-w6-192/imagenet-1k-simmim-100ep",
    ),
    "simmim-imagenet-swin-l-w14": Entry(
        finetuning,
        ("swin-l-w14", "swin-l-w12-192/simmim-imagenet-1k", 0.7, 0.2),
        "swin-l-w14/imagenet-1k-simmim",
    ),
    "simmim-imagenet-swinv2-b-w14-224-from12": Entry(
        finetuning, ("swinv2-b-w14-224-from12", "swinv2-b-w12-192/simmim-imagenet-1k-500k", 0.75)
    ),
    "simmim-swinv2-g": Entry(giant_pretraining, ("swinv2-g",)),
    "22k-ext-swinv2-g": Entry(giant_with_labels, ("swinv2-g",)),
    "22k-ext-1k-swinv2-g": Entry(giant_at_640_pixels, ("swinv2-g-w40-640-from12",)),
}


def entry(name: str) -> Entry:
    """Return the entry of a recipe by its name.

    Raises:
        UsageError: there is none of this name; the message suggests the nearest.
    """
    if name not in RECIPES:
        hint = suggest(name, list(RECIPES))
        raise UsageError(f"unknown recipe {name!r}{hint}; `swinkit recipes` lists all")
    return RECIPES[name]


def find(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises:
        UsageError: there is none of this name; the message suggests the nearest.
    """
    return entry(name)()


def find_pretraining(variant: str) -> Recipe:
    """Return the published masked pre-training of a variant, or one like it.

    Raises:
        UsageError: there is no such variant.
    """
    name, _ = find_variant(variant)
    published = RECIPES.get(f"simmim-{name}")
    return any_pretraining(name) if published is None else published()
