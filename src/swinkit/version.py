"""The version of the package, for every module that records which version wrote a file."""

__version__ = "0.1.0"
