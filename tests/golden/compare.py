"""From a case folder to an outcome: our twin of the reference, its weights, and every tensor compared."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swinkit.core.moe.routers import Router
from swinkit.errors import DataError, SwinkitError
from swinkit.heads.classify import average_probabilities, average_scores
from swinkit.weights.load import load_weights

from . import (
    learning,
    loading,
    masking,
    microsoft,
    microsoft_moe,
    naming,
    openmmlab,
    simmim,
    timm_cr,
    timm_library,
    torchvision_library,
    transformers_library,
)
from .case import Case, NotCovered, description, read
from .reference import Reference
from .trace import trace

OK, FAILED, NOT_COVERED, ERROR = "ok", "FAILED", "not covered", "error"
GRADIENTS_TIMES = 1000  # gradients are stored multiplied by this

MICROSOFT = "microsoft/Swin-Transformer|microsoft/SimMIM"
OPENMMLAB = (
    "SwinTransformer/Swin-Transformer-Object-Detection|SwinTransformer/Swin-Transformer-Semantic-Segmentation"
)
TWINS: list[
    tuple[str, str, str, Callable[[dict[str, Any]], Reference]]
] = [  # patterns of repository, module, class
    (MICROSOFT, "swin_transformer", "SwinTransformer", microsoft.v1),
    (MICROSOFT, "swin_transformer_v2", "SwinTransformerV2", microsoft.v2),
    (MICROSOFT, "simmim", r"SimMIM\(SwinTransformerForSimMIM\)", simmim.v1),
    (MICROSOFT, "simmim", r"SimMIM\(SwinTransformerV2ForSimMIM\)", simmim.v2),
    (MICROSOFT, "swin_mlp", "SwinMLP", microsoft.mlp),
    (MICROSOFT, "swin_transformer_moe", "SwinTransformerMoE", microsoft_moe.moe),
    (
        OPENMMLAB,
        "swin_transformer",
        "SwinTransformer",
        openmmlab.dense,
    ),
    (
        "SwinTransformer/Video-Swin-Transformer",
        "swin_transformer",
        r"Recognizer3D\(SwinTransformer3D, *I3DHead\)|SwinTransformer3D",
        openmmlab.video,
    ),
    ("huggingface/pytorch-image-models", ".*", "SwinTransformer", timm_library.v1),
    ("huggingface/pytorch-image-models", ".*", "SwinTransformerV2", timm_library.v2),
    ("huggingface/pytorch-image-models", ".*", "SwinTransformerV2Cr", timm_cr.v2_cr),
    (
        "pytorch/vision",
        ".*",
        r"SwinTransformer\(block=SwinTransformerBlockV2\b.*\)",
        torchvision_library.v2,
    ),
    ("pytorch/vision", ".*", "SwinTransformer", torchvision_library.v1),
    ("pytorch/vision", ".*", "SwinTransformer3d", torchvision_library.v3d),
    ("huggingface/transformers", ".*", "SwinForImageClassification", transformers_library.v1),
    ("huggingface/transformers", ".*", "Swinv2ForImageClassification", transformers_library.v2),
    ("huggingface/transformers", ".*", "SwinModel", transformers_library.v1_bare),
    ("huggingface/transformers", ".*", "Swinv2Model", transformers_library.v2_bare),
    ("huggingface/transformers", ".*", "SwinForMaskedImageModeling", transformers_library.v1_simmim),
    ("huggingface/transformers", ".*", "Swinv2ForMaskedImageModeling", transformers_library.v2_simmim),
]


@dataclass
class Outcome:
    """What came of one case. `shares` are the largest errors as shares of their tolerances; above 1 fails."""

    case: str
    kind: str
    status: str = OK
    shares: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    @property
    def worst(self) -> str | None:
        """The output that lies farthest out, measured by its tolerance."""
        return max(self.shares, key=self.shares.__getitem__, default=None)

    def fail(self, reason: str) -> None:
        """Something does not hold."""
        self.status = FAILED
        self.reasons.append(reason)


def check(folder: Path) -> Outcome:
    """Whether swinkit answers as the reference of the case in `folder`."""
    outcome = Outcome(folder.name, kind="?")
    try:
        about = description(folder)
        outcome.kind = str(about.get("reference_class", "?"))
        answered(folder, about, outcome)
    except NotCovered as reason:
        outcome.status, outcome.reasons = NOT_COVERED, [str(reason)]
    except (SwinkitError, ValueError, TypeError, LookupError, RuntimeError) as error:
        outcome.status, outcome.reasons = ERROR, [f"{type(error).__name__}: {error}"]
    return outcome


def answered(folder: Path, about: dict[str, Any], outcome: Outcome) -> None:
    """Answer the case in the way of its kind, and note how far that lies from the reference.

    Raises:
        DataError: a file of the case is missing or broken, or does not say what it must.
        NotCovered: the case asks for what swinkit does not build.
    """
    if (loader := loading.find(about)) is not None:
        case = read(folder)
        outcome.kind, found = loading.loaded(case, loader)
        compare(case, found, outcome)
    elif (learned := learning.find(about)) is not None:
        numbers = learned(folder, about)
        outcome.kind, outcome.reasons = numbers.kind, [numbers.remark] if numbers.remark else []
        compare(numbers.case(folder, about), numbers.found, outcome)
    elif (masks := masking.find(about)) is not None:
        case, found = masks(folder)
        outcome.kind = masking.KIND
        compare(case, found, outcome)
    elif (twin := find(about)) is not None:
        model_answers(read(folder), twin, outcome)
    else:
        outcome.status = NOT_COVERED


def model_answers(case: Case, twin: Callable[[dict[str, Any]], Reference], outcome: Outcome) -> None:
    """Build our twin, load the reference's weights, and compare every output.

    Raises:
        DataError: the case does not say what it must, or its weights do not fit.
        NotCovered: it asks for what swinkit does not build.
    """
    reference = twin(constructor(case))
    outcome.kind = reference.kind
    report = load_weights(reference.model, case.weights(), dialect=reference.dialect)
    for what in ("resized", "inflated", "reinitialised", "unused"):
        if touched := getattr(report, what):
            outcome.fail(f"weights {what}: {', '.join(touched)}")
    compare(case, reference.settle(answers(case, reference), case.outputs), outcome)


def find(about: dict[str, Any]) -> Callable[[dict[str, Any]], Reference] | None:
    """Return the function that builds our twin of the case's reference; None if there is none yet."""
    told = naming.told(about)
    for *patterns, twin in TWINS:
        if naming.matches(patterns, told):
            return twin
    return None


def constructor(case: Case) -> dict[str, Any]:
    """Return the reference constructor's arguments.

    Raises:
        DataError: the case does not give them by name.
    """
    given = case.about.get("constructor")
    if not isinstance(given, dict):
        raise DataError(f"{case.folder / 'case.json'} has no constructor with named arguments")
    return given


def take_mode(case: Case, reference: Reference) -> None:
    """Put our model into the case's mode, training or evaluation.

    Raises:
        NotCovered: the case is of training mode with dropouts or noise: nobody can draw the same.
    """
    spec = reference.backbone.spec
    training = case.about.get("mode") == "train"
    rates = [spec.dropout, spec.attention_dropout, spec.drop_path]
    rates += [module.p for module in reference.model.modules() if isinstance(module, nn.Dropout)]
    rates += [module.spread for module in reference.model.modules() if isinstance(module, Router)]
    if training and max(rates) > 0:
        raise NotCovered("training mode with random dropouts or noise")
    reference.model.train(training)


def answers(case: Case, reference: Reference) -> dict[str, Tensor]:
    """Return our tensors for all inputs, under the names of the case's outputs.

    Raises:
        DataError: an input that is neither pixels, nor views of clips, nor labels.
        NotCovered: the case is of training mode with dropouts or noise.
    """
    take_mode(case, reference)
    if reference.answer is not None:
        return reference.answer(case)
    axes, found = len(reference.backbone.spec.patch), {}
    for name, x in case.inputs.items():
        prefix = "" if name in ("image", "clip") else f"{name}."
        if name == "label":
            continue
        if x.ndim == axes + 2 and x.is_floating_point():
            made = single(case, reference, name, prefix)
            gradient = f"grad_{name}"  # named after its input, so some cases leave the prefix out
            prefixes = {key: "" if key == gradient and gradient in case.outputs else prefix for key in made}
            found |= {prefixes[key] + key: value for key, value in made.items()}
        elif x.ndim == axes + 3 and x.is_floating_point():
            found |= {prefix + key: value for key, value in several(reference, x).items()}
        else:
            raise DataError(f"{case.folder}: the input {name} of shape {tuple(x.shape)} is not understood")
    return found


def single(case: Case, reference: Reference, name: str, prefix: str) -> dict[str, Tensor]:
    """Everything that one input of pixels makes, with loss and gradient if the case has labels and asks."""
    gradient = f"grad_{name}"
    wanted = gradient in case.outputs or prefix + gradient in case.outputs
    pixels = case.inputs[name].clone().requires_grad_(wanted)
    with torch.set_grad_enabled(wanted):
        found = reference.names(trace(reference.model, reference.prepare(pixels)))
        if "label" in case.inputs and found.get("logits") is not None:
            found["ce_loss"] = F.cross_entropy(found["logits"], case.inputs["label"])
            if wanted:
                found[gradient] = (
                    GRADIENTS_TIMES * torch.autograd.grad(found["ce_loss"], pixels, retain_graph=True)[0]
                )
    return {key: value.detach() for key, value in found.items() if value is not None}


@torch.no_grad()
def several(reference: Reference, views: Tensor) -> dict[str, Tensor]:
    """(B, V, C, *P) views -> their logits, and both averages."""
    logits = reference.model(views.flatten(0, 1))
    apart = logits.unflatten(0, views.shape[:2])
    return {"logits": logits, "prob": average_probabilities(apart), "score": average_scores(apart)}


def compare(case: Case, found: dict[str, Tensor], outcome: Outcome) -> None:
    """Note the error of every expected tensor; one that we have no answer for is a failure."""
    for name, expected in case.outputs.items():
        actual = found.get(name)
        if actual is None:
            outcome.fail(f"{name}: an output unknown here")
        elif actual.shape != expected.shape:
            outcome.fail(f"{name}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}")
        else:
            error = (actual.double() - expected.double()).abs().nan_to_num(nan=torch.inf)
            share = torch.where(error == 0, 0.0, error / case.tolerance(name)).nan_to_num(nan=torch.inf)
            outcome.errors[name] = error.max().item() if error.numel() else 0.0
            outcome.shares[name] = share.max().item() if share.numel() else 0.0
            if outcome.shares[name] > 1:
                outcome.fail(f"{name}: off by {outcome.errors[name]:.3g}")
