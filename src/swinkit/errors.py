"""The errors a user can cause, each with the exit code of the command line. Torch-free.

Every message says what is wrong, where, and what to do.
"""


class SwinkitError(Exception):
    """A user's mistake or a broken input, told in one message; never a bug of swinkit."""

    exit_code = 1


class UsageError(SwinkitError, ValueError):
    """A wrong name, option or configuration."""

    exit_code = 2


class DataError(SwinkitError, ValueError):
    """A file or folder that cannot be read as what it should be."""

    exit_code = 3


class EnvironmentProblem(SwinkitError, RuntimeError):
    """Something of this machine stands in the way: a missing extra, a folder that cannot be written."""

    exit_code = 4


def require(holds: bool, name: str, value: object, rule: str) -> None:
    """Check one setting, `name`, whose `value` must be as `rule` says.

    Raises:
        UsageError: unless it `holds`.
    """
    if not holds:
        raise UsageError(f"{name} is {value!r}; it must be {rule}")
