import importlib.metadata
import inspect

import pytest

import swinkit


def test_there_is_a_public_surface():
    assert {"load", "backbone", "variants"} <= set(swinkit.__all__)


@pytest.mark.parametrize("name", swinkit.__all__)
def test_every_public_name_resolves_and_is_documented(name: str):
    assert (inspect.getdoc(getattr(swinkit, name)) or "").strip()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = swinkit.no_such_name


def test_the_version_is_that_of_the_installed_package():
    assert swinkit.__version__ == importlib.metadata.version("swinkit")
