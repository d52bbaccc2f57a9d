"""What differs between two configurations of a run, and what may differ without a word."""

from dataclasses import asdict, replace

import pytest

from swinkit.runs.changes import FREE, abridged, changes_of

from ..training.jobs import job, recipe
from ..training.states import assert_same, last_state
from ..training.test_loop import trained


def config(**run):
    """Of a job by this recipe, as it is recorded."""
    return job(recipe(**run)).config


def test_fields_are_named_as_on_the_command_line():
    (change,) = changes_of(config(seed=5), config(seed=6))
    assert change == "run.seed was 5, now 6"


def test_what_is_missing_on_one_side_is_a_change():
    before, now = config(), config()
    del before["recipe"]["run"]["bad_steps"]
    assert changes_of(before, now) == ["run.bad_steps was null, now 20"]
    assert changes_of(now, before) == ["run.bad_steps was 20, now null"]


@pytest.mark.parametrize("field", FREE)
def test_a_free_field_is_one_of_the_recipe_and_no_change(field):
    group, name = field.split(".")
    before, now = config(), config()
    assert name in asdict(recipe())[group]
    now["recipe"][group][name] = "another"
    assert changes_of(before, now) == []


def test_a_long_value_is_abridged():
    assert abridged(["x" * 99]) == '["' + "x" * 35 + "..."


def test_a_run_goes_on_with_other_free_fields_to_the_same_weights(tmp_path):
    chosen = recipe(hours=1e-9)  # one step, and then an epoch's end
    trained(tmp_path / "a", chosen)
    trained(tmp_path / "b", chosen)
    trained(tmp_path / "a", recipe(), allow_changes=True)
    fewer = recipe(save_every=5)
    fewer = replace(fewer, data=replace(fewer.data, workers=1))
    trained(tmp_path / "b", replace(fewer, run=replace(fewer.run, hours=1e-9)))
    trained(tmp_path / "b", fewer, allow_changes=True)
    assert_same(last_state(tmp_path / "b"), last_state(tmp_path / "a"))
