"""`swinkit VERB ...`: run the verb, and turn errors into one line and an exit code. Imports no torch."""

import errno
import importlib
import os
import sys
from collections.abc import Sequence

from ..errors import EnvironmentProblem, SwinkitError, UsageError
from ..models.catalogue import suggest
from ..version import __version__
from .console import INTERRUPTED, complain, discard_output, note

VERBS = {
    "models": "list the models that can be built by name",
    "data": "check a data set before training on it",
    "predict": "say what pictures show",
    "recipes": "list what can be trained by name, and every setting of it",
    "train": "train a model by a recipe",
    "pretrain": "learn from pictures without labels",
    "evaluate": "measure a model on labelled pictures",
    "bench": "measure how fast a model is on this machine",
    "optimize": "build what makes models faster on this machine's CPU",
    "cache": "list or delete downloaded checkpoints",
    "convert": "carry a model's weights to another library",
    "push": "publish a model on the Hugging Face hub",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 ok, 2 usage, 3 data, 4 environment, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--offline"]:
        os.environ["SWINKIT_OFFLINE"] = "1"
        words = words[1:]
    try:
        code = run(words)
        sys.stdout.flush()
        return code
    except SwinkitError as error:
        complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        discard_output(sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            raise
        discard_output(sys.stdout.fileno())
        complain(f"the output cannot be written: {error.strerror}")
        return EnvironmentProblem.exit_code


def run(words: list[str]) -> int:
    """Print the help or the version, or import the module of a command and run it; return the exit code.

    Raises:
        UsageError: there is no such command.
    """
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"swinkit {__version__}")
        return 0
    verb, arguments = words[0], words[1:]
    if verb not in VERBS:
        raise UsageError(f"unknown command {verb!r}{suggest(verb, list(VERBS))}; see `swinkit --help`")
    return importlib.import_module(f".{verb}", __package__).command(arguments)


def overview() -> str:
    """Return the page that `swinkit --help` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    return f"""usage: swinkit COMMAND ...

Swin Transformers for images, clips and volumes.

commands:
{verbs}

options:
  --offline  before COMMAND: use what is on this machine, and no network
  --version  print the version
  --help     print this page; `swinkit COMMAND --help` for a command
"""


if __name__ == "__main__":
    sys.exit(main())
