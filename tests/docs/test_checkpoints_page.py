"""docs/checkpoints.md says what the table of checkpoints says."""

import re

from swinkit.zoo.checkpoints import published_checkpoints

from .checkpoints_page import PAGE, page


def test_the_page_is_what_the_table_makes_of_it():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.docs.checkpoints_page"


def test_a_fine_tuned_model_of_the_study_stands_beside_what_it_was_made_from():
    pairs = re.findall(
        r"^\| `(swinv2-.+)/(simmim-.+)` .*\| `(swinv2-.+)/(imagenet-.+)` \|", page(), re.MULTILINE
    )
    assert len(pairs) == 63
    for before, trained_on, after, dataset in pairs:
        assert dataset == f"imagenet-1k-{trained_on}"
        assert after == before.removesuffix("-w12-192") + "-w14-224-from12"


def test_every_checkpoint_is_on_the_page_once():
    text = PAGE.read_text(encoding="utf-8")
    for name in published_checkpoints():
        assert text.count(f"| `{name}` |") == 1, name
