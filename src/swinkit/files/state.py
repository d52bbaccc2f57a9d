"""A state: tensors by name, the content of every file of weights."""

from torch import Tensor

State = dict[str, Tensor]
