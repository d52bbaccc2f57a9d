"""docs/recipes.md is what the recipes say."""

from .recipes_page import PAGE, page


def test_the_page_is_written_from_the_recipes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.docs.recipes_page"
