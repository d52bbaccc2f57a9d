"""Files of a model in another library's layout, on the hub or in a local folder, by their config.json.

Beside config.json are the weights and, for transformers, `preprocessor_config.json`. No name in them is
looked up.
"""

from collections.abc import Callable
from pathlib import Path

from ..errors import DataError
from ..files.folder import WEIGHTS
from ..files.typed_json import Settings, read_settings
from .hub_configs import Facts
from .hub_configs_timm import from_timm
from .hub_configs_transformers import from_transformers

OLD_WEIGHTS = "pytorch_model.bin"
INDEX = f"{WEIGHTS}.index.json"
PREPROCESSOR = "preprocessor_config.json"

Find = Callable[[str], Path | None]  # a file of the repository or folder by name; None: it has none


def make_finder(folder: Path) -> Find:
    """Return a function that finds the files of a local folder."""

    def find(name: str) -> Path | None:
        path = folder / name
        return path if path.is_file() else None

    return find


def settings_of(find: Find, name: str, where: str) -> Settings | None:
    """Read a JSON file; None if there is none. Messages put `where` before its name.

    Raises:
        DataError: it is no JSON object, or too large to be one of settings.
    """
    path = find(name)
    return None if path is None else read_settings(path, f"{where}{name}")


def is_from_swinkit(config: Settings) -> bool:
    """Return whether `save` or `push` wrote it."""
    return "swinkit" in config.values


def is_known(config: Settings) -> bool:
    """Return whether timm or transformers wrote it."""
    return "architecture" in config.values or "model_type" in config.values


def read_facts(config: Settings, find: Find, where: str) -> Facts:
    """Read the facts from the config.json of another library.

    Raises:
        DataError: it is none of timm's or transformers', or describes no Swin that swinkit has.
    """
    if "architecture" in config.values:
        return from_timm(config)
    if "model_type" in config.values:
        return from_transformers(config, settings_of(find, PREPROCESSOR, where))
    raise DataError(
        f"{config.name} names no architecture (timm) and no model_type (transformers); give swinkit.load the "
        "file of weights itself"
    )


def find_weights(find: Find, where: str) -> Path | None:
    """Return the file of weights: safetensors, else a torch file; None if there is neither.

    Raises:
        DataError: they are in several files.
    """
    path = find(WEIGHTS) or find(OLD_WEIGHTS)
    if path is None and find(INDEX) is not None:
        raise DataError(
            f"{where} has its weights in several files ({INDEX}), which swinkit does not read; save "
            "them as one with the library that wrote them"
        )
    return path
