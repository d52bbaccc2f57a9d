"""What a case says of its reference, in one way of writing: repository, module and class."""

import re
from typing import Any

ALIASES = {  # names of packages and former names of repositories
    "timm": "huggingface/pytorch-image-models",
    "rwightman/pytorch-image-models": "huggingface/pytorch-image-models",
    "torchvision": "pytorch/vision",
    "transformers": "huggingface/transformers",
}
HOST = re.compile(r"^(\w+://|git@)?(www\.)?github\.com[/:]")
INSIDE = re.compile(r"^[^/]+/[^/]+/(blob|tree|raw)/[^/]+/")  # of a repository's address, before a path


def told(about: dict[str, Any]) -> tuple[str, str, str]:
    """Return repository (`owner/name`), module (`swin_mlp` in `models/swin_mlp.py:SwinMLP`) and class.

    A class keeps what stands in parentheses, for that can tell parts of it.
    """
    repo, file, name = (str(about.get(f"reference_{key}") or "").strip() for key in ("repo", "file", "class"))
    return repository(repo), module(file), kind(name)


def repository(text: str) -> str:
    """As `owner/name`, of an address too."""
    path = HOST.sub("", text).removesuffix("/").removesuffix(".git")
    return ALIASES.get(path, "/".join(path.split("/")[:2]))


def module(text: str) -> str:
    """Return the name of the file, without folders, ending and what follows a colon."""
    path = INSIDE.sub("", HOST.sub("", text)).split(":")[0].removesuffix(".py")
    *before, last = re.split(r"[./\\]", path)
    return before[-1] if before and last[:1].isupper() else last


def kind(text: str) -> str:
    """Return the class without its module; a remark after a space stays apart from it."""
    name, *inside = re.split(r"(?=\s*\()", text, maxsplit=1)
    return name.rsplit(".", maxsplit=1)[-1] + "".join(inside)


def matches(patterns: list[str], said: tuple[str, str, str]) -> bool:
    """Whether all three fit; a module that is not told fits all, a remark behind a class is no part of it.

    But what stands in the parentheses of a pattern must be there.
    """
    repo, file, name = said
    names = (re.sub(r"\s+\(", "(", name), re.sub(r"\s+\(.*", "", name))
    return (
        re.fullmatch(patterns[0], repo, re.IGNORECASE) is not None
        and (not file or re.fullmatch(patterns[1], file) is not None)
        and any(re.fullmatch(patterns[2], text) for text in names)
    )
