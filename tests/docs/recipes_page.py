"""docs/recipes.md, written from the recipes: `python -m tests.docs.recipes_page`."""

from itertools import groupby

from swinkit.recipes.catalogue import RECIPES, Entry
from swinkit.recipes.hours import hours_of, round_hours
from swinkit.zoo.checkpoints import published_checkpoints

from .markdown import ROOT

PAGE = ROOT / "docs" / "recipes.md"
MARK = "<!-- From here on written by `python -m tests.docs.recipes_page`. -->\n"
COLUMNS = (
    *("recipe", "model", "begins with", "optimiser", "rate", "weight decay"),
    *("layer decay", "drop-path", "epochs", "batch", "V100 hours", "top-1"),
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"


def page() -> str:
    """Return the page: what people wrote, up to the mark, and the recipes, those of one function together."""
    sections = [PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK]
    makers = sorted(RECIPES.items(), key=lambda item: order().index(item[1].make))
    for _, group in groupby(makers, key=lambda item: item[1].make):
        rows = list(group)
        title, _, rest = rows[0][1].story.partition(".\n")
        sections.append(f"## {title}\n{rest}\n\n{HEAD}{''.join(line(name, known) for name, known in rows)}")
    return "\n".join(sections)


def order() -> list[object]:
    """Return the functions, as they first come."""
    return list(dict.fromkeys(known.make for known in RECIPES.values()))


def line(name: str, known: Entry) -> str:
    """One recipe."""
    recipe = known()
    hours = hours_of(known.make, recipe)
    reported = published_checkpoints()[known.checkpoint].reported if known.checkpoint else {}
    cells = (
        f"`{name}`",
        f"`{recipe.variant}`",
        f"`{recipe.init}`" if recipe.init else "-",
        recipe.optimiser.kind,
        f"{recipe.optimiser.lr:g}",
        f"{recipe.optimiser.weight_decay:g}",
        f"{recipe.optimiser.layer_decay or '-'}",
        f"{recipe.drop_path:g}",
        str(recipe.schedule.epochs),
        f"{recipe.run.batch_size:,}",
        "-" if hours is None else round_hours(hours),
        f"{reported.get('top1', '-')}",
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
