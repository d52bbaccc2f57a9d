"""`swinkit.train`, by a recipe's name."""

import pytest

import swinkit
from swinkit.errors import DataError, UsageError


def test_a_name_is_looked_up(tmp_path):
    with pytest.raises(UsageError, match="did you mean"):
        swinkit.train("cifar10-swin-pic", tmp_path, tmp_path / "run")
    with pytest.raises(DataError, match="no split train"):  # it is known, and the data are looked at
        swinkit.train("cifar10-swin-pico", tmp_path, tmp_path / "run")


def test_what_is_no_recipe_is_told(tmp_path):
    with pytest.raises(UsageError, match="recipe is a dict; give a Recipe, or the name of one"):
        swinkit.train({}, tmp_path, tmp_path / "run")
