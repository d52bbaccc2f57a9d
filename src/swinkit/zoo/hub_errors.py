"""Errors of the Hugging Face hub as messages of one line: failure, place and remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import DataError, EnvironmentProblem, SwinkitError, UsageError

LOG_IN = "log in with `hf auth login`, or set $HF_TOKEN"
FULL = (errno.ENOSPC, errno.EDQUOT)


class Unreachable(EnvironmentProblem):
    """The hub cannot be reached, so its files must come another way."""


@contextmanager
def explain_hub_errors(where: str) -> Iterator[None]:
    """Turn errors that huggingface_hub raises inside the context into one line about `where`."""
    from huggingface_hub import errors

    try:
        yield
    except SwinkitError:
        raise
    except errors.GatedRepoError:
        raise EnvironmentProblem(
            f"{where}: its owners grant access one by one; ask there, then {LOG_IN}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise DataError(
            f"{where}: no such repository on the hub, or a private one; check the name, or {LOG_IN}"
        ) from None
    except errors.RevisionNotFoundError:
        raise DataError(
            f"{where}: the repository has no such revision; name a branch, tag or commit"
        ) from None
    except errors.HfHubHTTPError as error:
        raise explain_refusal(where, error.response.status_code) from None
    except errors.HFValidationError as error:
        raise UsageError(f"{where}: {str(error).splitlines()[0]}") from None
    except (errors.HTTPError, errors.LocalEntryNotFoundError) as error:  # pyright: ignore[reportPrivateImportUsage]
        raise Unreachable(
            f"{where}: the hub cannot be reached ({error_line(error)}); try again later"
        ) from None
    except OSError as error:
        if error.errno in FULL:
            raise EnvironmentProblem(
                f"{where}: no space left for it in {hub_cache()}; make room, "
                "or name another place in $HF_HOME"
            ) from None
        raise EnvironmentProblem(f"{where}: cannot be downloaded or kept: {error_line(error)}") from None
    except (RuntimeError, ValueError) as error:  # raised by uploads and by the hub's own storage
        cause = error.__cause__ or error
        if isinstance(cause, errors.HfHubHTTPError):
            raise explain_refusal(where, cause.response.status_code) from None
        raise EnvironmentProblem(f"{where}: the hub did not take or give it: {error_line(cause)}") from None


def explain_refusal(where: str, status: int) -> EnvironmentProblem:
    """Return why the hub refused a request, by the status of its answer."""
    known = {
        401: f"the hub does not accept the token; {LOG_IN}",
        403: "the token may not do this; take one that may write there",
        429: "the hub takes no more requests from here for now; wait some minutes, or log in to have more",
    }
    trouble = f"the hub answered with status {status}; try again later"
    return EnvironmentProblem(f"{where}: {known.get(status, trouble)}")


def error_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    said = str(error).strip().splitlines()
    return said[0][:200] if said else type(error).__name__


def hub_cache() -> str:
    """Return huggingface_hub's cache folder."""
    from huggingface_hub import constants

    return constants.HF_HUB_CACHE
