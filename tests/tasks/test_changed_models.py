"""Models that other tools quantised, wrapped or changed predict as they compute, and are saved or refused."""

import copy
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import swinkit
from swinkit.data.images import load_image
from swinkit.data.preprocess import Preprocess
from swinkit.errors import UsageError
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.simmim.model import SimMIM
from swinkit.tasks.simmim.settings import Masking
from swinkit.tasks.task import Task, require_weights

from ..models.small import small, stirred

pytestmark = [
    pytest.mark.slow,  # compiles, and imports peft and torchao
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of torch's quantisation and torchao
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

PICTURE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
FIT = Preprocess.to_crop(crop=(64, 64), resize=64)
MODELS: dict[str, Callable[[], Task]] = {
    "classifier-v1": lambda: Classifier(small("v1"), list("abcde"), FIT),
    "classifier-v2": lambda: Classifier(small("v2"), list("abcde"), FIT),
    "classifier-moe": lambda: Classifier(small("moe"), list("abcde"), FIT),
    "classifier-mlp": lambda: Classifier(small("mlp"), list("abcde"), FIT),
    "simmim-v1": lambda: SimMIM(small("v1"), Masking(patch=8), FIT),
    "simmim-v2": lambda: SimMIM(small("v2"), Masking(patch=8), FIT),
}


class Adapted(nn.Module):
    """A linear layer inside of another module, as tools for adapters wrap it; it has no `weight`."""

    def __init__(self, inner: nn.Linear):
        super().__init__()
        self.inner = inner
        self.down = nn.Linear(inner.in_features, 2, bias=False)
        self.up = nn.Linear(2, inner.out_features, bias=False)

    def forward(self, x):
        return self.inner(x) + self.up(self.down(x))


def layers_of(model: nn.Module) -> list[tuple[nn.Module, str, nn.Linear]]:
    """Return every linear layer with the module that has it, and its name there."""
    return [
        (module, name, layer)
        for module in model.modules()
        for name, layer in module.named_children()
        if isinstance(layer, nn.Linear)
    ]


def quantised(model):
    return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)


def quantised_by_torchao(model):
    quantization = pytest.importorskip("torchao.quantization")
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    return model


def adapted(model):
    for module, name, layer in layers_of(model):
        setattr(module, name, Adapted(layer))
    return model


def adapted_by_peft(model):
    peft = pytest.importorskip("peft")
    model = peft.inject_adapter_in_model(peft.LoraConfig(r=2, target_modules="all-linear"), model)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, std=0.2)
    return model


def pruned(model):
    for _, _, layer in layers_of(model):
        prune.l1_unstructured(layer, "weight", 0.2)
    return model


def parametrised(model):
    for _, _, layer in layers_of(model):
        parametrizations.weight_norm(layer).weight = layer.weight * 1.5
    return model


def weight_normed(model):
    for _, _, layer in layers_of(model):
        nn.utils.weight_norm(layer).weight_g.data *= 1.5
    return model


def compiled(model):
    model.compile(backend="eager")
    return model


def replaced(model):
    model.head.norm = nn.Sequential(model.head.norm, nn.Identity())
    return model


CHANGES = {
    change.__name__: change
    for change in (quantised, quantised_by_torchao, adapted, adapted_by_peft, pruned, parametrised)
} | {
    change.__name__: change
    for change in (weight_normed, compiled, replaced, swinkit.optimize, nn.Module.half, nn.Module.bfloat16)
}
REFUSED = {  # with what the error advises
    "quantised": "no plain tensors.*save the model before it is quantised",
    "quantised_by_torchao": "no plain tensors.*save the model before it is quantised",
    "adapted": "put the layers back",
    "adapted_by_peft": "merge_and_unload",
    "pruned": "prune.remove",
    "parametrised": "torch.nn.utils.parametrize",
    "weight_normed": "remove_weight_norm",
    "replaced": "put the layers back",
}


def made(name: str) -> Task:
    """Return a model with random weights, the same each time."""
    torch.manual_seed(0)
    return stirred(MODELS[name]()).eval()


def outputs_of(model: Task) -> torch.Tensor:
    """Return what `predict` shows of the picture."""
    result = model.predict(PICTURE)
    if isinstance(model, SimMIM):
        return result.reconstruction.float()
    return torch.tensor([result.scores[result.labels.index(label)] for label in model.labels])


@pytest.mark.parametrize(  # tracing experts takes a minute, and `tests/models/test_compiled.py` does it
    ("change", "name"),
    [pair for pair in product(CHANGES, MODELS) if pair != ("compiled", "classifier-moe")],
)
def test_a_model_that_computes_predicts_what_it_computes(change, name):
    """Twice: the second answer comes from the caches of biases."""
    plain = made(name)
    changed = CHANGES[change](copy.deepcopy(plain))
    outputs = outputs_of(changed)
    assert torch.equal(outputs_of(changed), outputs)
    if isinstance(plain, Classifier):
        dtype = next(changed.backbone.embed.parameters()).dtype
        with torch.inference_mode():
            logits = changed(FIT(load_image(PICTURE))[None].to(dtype))
        torch.testing.assert_close(outputs, logits[0].float().softmax(-1))
    difference = (outputs - outputs_of(plain)).abs().max().item()
    if change in ("compiled", "optimize", "replaced"):
        assert difference < 1e-5
    elif "adapted" in change or change in ("parametrised", "weight_normed"):
        assert difference > 1e-3  # every layer counts, so the answer is another one
    else:
        assert 0 < difference < (60 if isinstance(plain, SimMIM) else 0.06)


@pytest.mark.parametrize("name", ["classifier-v1", "classifier-v2", "simmim-v1"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_is_saved_whole_or_refused_with_what_to_do(change, name, tmp_path):
    changed = CHANGES[change](made(name))
    if change in REFUSED:
        with pytest.raises(UsageError, match="the model cannot be saved: .*" + REFUSED[change]):
            swinkit.save(changed, tmp_path / "model")
        assert not (tmp_path / "model").exists()
    else:
        swinkit.save(changed, tmp_path / "model")
        again = swinkit.load(tmp_path / "model")
        assert torch.allclose(outputs_of(again), outputs_of(changed), atol=1e-5)


@pytest.mark.parametrize("name", ["classifier-v1", "classifier-v2", "classifier-moe", "simmim-v2"])
def test_every_adapter_learns_and_is_merged(name):
    """peft's "all-linear" reaches the layers of computed biases and of routers, and V2's queries and keys."""
    peft = pytest.importorskip("peft")
    plain = made(name)
    tuned = peft.get_peft_model(
        copy.deepcopy(plain), peft.LoraConfig(r=2, target_modules="all-linear", lora_dropout=0.0)
    )
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.2)
    inputs = (
        (torch.randn(2, 3, 64, 64), torch.zeros(2, 16, 16))
        if "simmim" in name
        else (torch.randn(2, 3, 61, 83),)
    )
    tuned(*inputs).square().mean().backward()
    idle = [name for name, weight in tuned.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not idle
    wrapped = {name.rpartition(".lora_A")[0] for name, _ in tuned.named_parameters() if ".lora_A" in name}
    assert any(name.endswith("qkv") for name in wrapped)
    tuned.eval()
    with torch.no_grad():
        expected = tuned(*inputs)
        merged = tuned.merge_and_unload()
        torch.testing.assert_close(merged(*inputs), expected, atol=1e-4, rtol=1e-4)
        assert (plain(*inputs) - expected).abs().max() > 1e-3
    assert type(merged) is type(plain)


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel, torch.optim.swa_utils.AveragedModel])
def test_of_a_wrapper_the_model_inside_is_saved(wrap, tmp_path):
    model = made("classifier-v1")
    swinkit.save(wrap(nn.DataParallel(model)), tmp_path / "model")
    for name, weight in swinkit.load(tmp_path / "model").state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name
    with pytest.raises(UsageError, match=r"model is a \w+ around a Classifier; give the model inside"):
        swinkit.evaluate(wrap(model), tmp_path)


def test_a_wrapper_with_adapters_is_refused(tmp_path):
    peft = pytest.importorskip("peft")
    tuned = peft.get_peft_model(made("classifier-v1"), peft.LoraConfig(target_modules=["qkv"]))
    with pytest.raises(UsageError, match=r"model is a PeftModel, .*; merge its adapters first"):
        swinkit.save(tuned, tmp_path / "model")
    with pytest.raises(UsageError, match="merge the adapters first"):
        swinkit.push(tuned.base_model.model, "org/name")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Linear(24, 7), r"2 of another shape or kind .*by model\.labels = \[\.\.\.\]"),
        (nn.Sequential(nn.Dropout(0.1), nn.Linear(24, 5)), "2 unknown .*, 2 missing .*be one nn.Linear"),
        (nn.Identity(), "a Classifier: 2 missing .*be one nn.Linear"),
    ],
)
def test_another_classifier_is_refused_when_it_is_saved(layer, message, tmp_path):
    model = made("classifier-v1")
    model.head.classifier = layer
    with pytest.raises(UsageError, match=message):
        swinkit.save(model, tmp_path / "model")


@pytest.mark.parametrize("name", ["classifier-v1", "simmim-v2"])
def test_a_model_without_values_says_so(name, tmp_path):
    model = made(name).to("meta")
    for act in (
        lambda: model.predict(PICTURE),
        lambda: swinkit.save(model, tmp_path / "model"),
        lambda: require_weights(model),
    ):
        with pytest.raises(UsageError, match=r"no values.*meta device.*; load them first"):
            act()
