"""The optimiser of a recipe. Torch-free."""

from dataclasses import dataclass
from typing import Annotated, Literal

from ..errors import require
from ..type_check import require_kinds

Kind = Literal["adamw", "muon"]
Rule = Literal["paper", "microsoft", "simmim-pretrain", "openmmlab", "video"]


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW (Loshchilov and Hutter 2019); for the matrices between the patches and the head also Muon.

    Raises:
        UsageError: a field is out of range.
    """

    kind: Annotated[Kind, "adamw, or muon for the matrices of the blocks"] = "adamw"
    lr: Annotated[float, "learning rate at its peak"] = 1e-3
    weight_decay: Annotated[float, "share of the weights that a step takes away, in learning rates"] = 0.05
    betas: Annotated[tuple[float, float], "decay rates of AdamW's moments"] = (0.9, 0.999)
    eps: Annotated[float, "epsilon of AdamW"] = 1e-8
    clip_norm: Annotated[float | None, "largest norm of the gradient; null: not clipped"] = 5.0
    layer_decay: Annotated[
        float | None, "factor of the learning rate from each block to the one below; null: none"
    ] = None
    rule: Annotated[Rule, "whose parameter groups: which parameters decay, and at what rates they learn"] = (
        "paper"
    )

    def __post_init__(self) -> None:
        """Check every field."""
        require_kinds(self, "optimiser.")
        require(self.lr > 0, "optimiser.lr", self.lr, "above 0")
        require(self.weight_decay >= 0, "optimiser.weight_decay", self.weight_decay, "0 or above")
        require(all(0 <= beta < 1 for beta in self.betas), "optimiser.betas", self.betas, "in [0, 1)")
        require(self.eps > 0, "optimiser.eps", self.eps, "above 0")
        bounded = self.clip_norm is None or self.clip_norm > 0
        require(bounded, "optimiser.clip_norm", self.clip_norm, "above 0, or null")
        decay = self.layer_decay
        require(decay is None or 0 < decay <= 1, "optimiser.layer_decay", decay, "above 0 and at most 1")
