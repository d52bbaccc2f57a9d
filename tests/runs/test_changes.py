"""What differs between two configurations of a run, and what may differ without a word."""

from dataclasses import asdict, replace

import pytest

from swinkit.runs.config_diff import FREE, PICTURES, PLACE, RECIPE, abridge, changes_of

from ..training.jobs import job, recipe
from ..training.states import assert_same, last_state
from ..training.test_loop import trained


def config(**run):
    """Of a job by this recipe, as it is recorded."""
    return job(recipe(**run)).config


def test_fields_are_named_as_on_the_command_line():
    (change,) = changes_of(config(seed=5), config(seed=6))
    assert str(change) == "run.seed was 5, now 6"


def test_every_field_of_a_recipe_is_a_change_unless_it_is_free():
    sections = {name: value for name, value in asdict(recipe()).items() if isinstance(value, dict)}
    found = {}
    for section, fields in sections.items():
        for name in fields:
            now = config()
            now[RECIPE][section][name] = "another"
            changes = changes_of(config(), now)
            found[f"{section}.{name}"] = [change.text.split(" was ")[0] for change in changes]
    assert found == {field: [field] * (field not in FREE) for field in found}


def test_where_the_data_lie_is_no_change():
    before, now = config(), config()
    now[PLACE] = "/elsewhere"
    assert changes_of(before, now) == []


@pytest.mark.parametrize(("field", "fatal"), [("variant", True), ("task", True), ("init", False)])
def test_another_model_cannot_go_on(field, fatal):
    before, now = config(), config()
    now[RECIPE][field] = "another"
    (change,) = changes_of(before, now)
    assert (change.fatal, change.of_training) == (fatal, False)


@pytest.mark.parametrize(
    ("kind", "split", "of_training"), [("training", "training", True), ("held out", "validation", False)]
)
def test_other_pictures_are_a_change(kind, split, of_training):
    before, now = (
        config() | {PICTURES: {kind: {"pictures": 3, "sha256": content}}} for content in ("one", "another")
    )
    (change,) = changes_of(before, now)
    assert str(change) == f"the {split} pictures differ: the same number, other content"
    assert (change.fatal, change.of_training) == (False, of_training)


def test_what_is_missing_on_one_side_is_a_change():
    before, now = config(), config()
    del before["recipe"]["run"]["bad_steps"]
    assert [str(change) for change in changes_of(before, now)] == ["run.bad_steps was null, now 20"]
    assert [str(change) for change in changes_of(now, before)] == ["run.bad_steps was 20, now null"]


@pytest.mark.parametrize("field", FREE)
def test_a_free_field_is_one_of_the_recipe_and_no_change(field):
    group, name = field.split(".")
    before, now = config(), config()
    assert name in asdict(recipe())[group]
    now["recipe"][group][name] = "another"
    assert changes_of(before, now) == []


def test_a_long_value_is_abridged():
    assert abridge(["x" * 99]) == '["' + "x" * 35 + "..."


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
