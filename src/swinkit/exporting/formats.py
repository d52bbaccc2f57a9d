"""Names of outputs: libraries, file endings, and the libraries that read folders. Torch-free."""

from pathlib import Path

from ..errors import UsageError

TARGETS = ("microsoft", "timm", "torchvision", "transformers", "openmmlab", "swinkit")
SUFFIXES = (".safetensors", ".pth")
FOLDERS = ("swinkit", "timm", "transformers")  # the libraries whose models can be folders


def require_form(out: Path, to: str, ranks: int | None = None) -> None:
    """Refuse an output name that does not fit the form in which `to`, a library or dialect, is written.

    Raises:
        UsageError: the name has another ending, or none where there must be one.
    """
    if ranks is not None:
        if out.suffix:
            raise UsageError(f"{out}: the files of {ranks} ranks need a folder; name one without an ending")
        return
    if out.suffix in SUFFIXES:
        return
    if out.suffix[1:].isalpha():  # else a folder such as swin-v1.0
        raise UsageError(f"{out}: files of weights end in {' or '.join(SUFFIXES)}")
    if not to.startswith(FOLDERS) or to == "swinkit-backbone":
        raise UsageError(f"{out}: {to} reads files; name one that ends in {' or '.join(SUFFIXES)}")
