"""Muon against torch's own and against AdamW, and whose matrices it takes."""

import copy
from dataclasses import replace

import pytest
import torch

from swinkit.core.spec import Spec
from swinkit.errors import UsageError
from swinkit.models.build import build
from swinkit.models.families import SpecMLP, SpecV2
from swinkit.recipes.catalogue import find
from swinkit.settings.optimiser import Optimiser
from swinkit.training.muon import MATRICES, MOMENTUM, orthogonal
from swinkit.training.param_groups import optimiser_of, parameter_groups
from tests.models.small import Headed

MUON = Optimiser(kind="muon", lr=0.01, weight_decay=0.1)
SMALL = {"embed_dim": 8, "depths": (1, 1), "num_heads": (2, 2), "window_sizes": ((2, 2),) * 2}


def turned(model):
    """Names of the parameters that Muon takes, block numbers left out."""
    taken = {id(p) for group in parameter_groups(model, MUON) if group[MATRICES] for p in group["params"]}
    return {name.split(".", 4)[-1] for name, p in model.named_parameters() if id(p) in taken}


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 24, 8), (2, 8, 24), (1, 1, 5)])
def test_all_directions_get_nearly_the_same_strength(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    strengths = torch.linalg.svdvals(orthogonal(x).float())
    assert 0.5 < strengths.min() <= strengths.max() < 1.3
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    torch.testing.assert_close(orthogonal(x).float(), u @ v, rtol=0, atol=0.35)


def test_a_gradient_of_zero_is_a_step_of_zero():
    assert orthogonal(torch.zeros(1, 4, 3)).eq(0).all()


def test_matrices_move_as_by_torchs_own_muon_and_the_rest_as_by_adamw():
    torch.manual_seed(0)
    model = Headed(build(Spec(**SMALL)))
    ours, theirs = model, copy.deepcopy(model)
    step = optimiser_of(ours, MUON)
    names = {id(p): name for name, p in ours.named_parameters()}
    own = dict(theirs.named_parameters())
    groups = [
        (group[MATRICES], {"params": [own[names[id(p)]] for p in group["params"]], "weight_decay": decay})
        for group in step.param_groups
        for decay in [group["weight_decay"]]
    ]
    muon = torch.optim.Muon(
        [group for is_matrix, group in groups if is_matrix],
        lr=0.01,
        momentum=MOMENTUM,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW([group for is_matrix, group in groups if not is_matrix], lr=0.01)
    for seed in range(4):
        draws = torch.Generator().manual_seed(seed)
        for name, weight in ours.named_parameters():
            weight.grad = torch.randn(weight.shape, generator=draws)
            own[name].grad = weight.grad.clone()
        for one in (step, muon, adamw):
            one.step()
    taken = {id(p) for group in step.param_groups if group[MATRICES] for p in group["params"]}
    for name, weight in ours.named_parameters():
        # Matrices are turned in bf16: several of one shape at once here, and there one by one.
        rtol, atol = (0.02, 1e-3) if id(weight) in taken else (1e-6, 1e-7)
        torch.testing.assert_close(weight, own[name], rtol=rtol, atol=atol, msg=name)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (Spec(**SMALL), {"qkv.weight", "proj.weight", "fc1.weight", "fc2.weight", "reduction.weight"}),
        (SpecV2(**SMALL), {"qkv.weight", "proj.weight", "fc1.weight", "fc2.weight", "reduction.weight"}),
        (SpecMLP(**SMALL), {"fc1.weight", "fc2.weight", "reduction.weight"}),
    ],
)
def test_it_takes_the_matrices_from_features_to_features(spec, names):
    found = {".".join(name.split(".")[-2:]) for name in turned(Headed(build(spec)))}
    assert found == names


def test_a_model_of_timm_gives_as_many_matrices():
    timm = pytest.importorskip("timm.models.swin_transformer")
    theirs = timm.SwinTransformer(
        img_size=16, patch_size=4, embed_dim=8, depths=(1, 1), num_heads=(2, 2), window_size=2, num_classes=5
    )
    sizes = [
        sorted(p.shape for group in parameter_groups(model, MUON) if group[MATRICES] for p in group["params"])
        for model in (Headed(build(Spec(**SMALL))), theirs)
    ]
    assert sizes[0] == sizes[1]


def test_what_was_gathered_is_saved_and_goes_on_to_the_bit():
    torch.manual_seed(0)
    model = Headed(build(Spec(**SMALL)))
    optimiser = optimiser_of(model, MUON)
    x = torch.randn(2, 3, 16, 16)

    def learn(net, by):
        net(x).square().sum().backward()
        by.step()
        by.zero_grad()

    learn(model, optimiser)
    other = copy.deepcopy(model)
    again = optimiser_of(other, MUON)
    again.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    learn(model, optimiser)
    learn(other, again)
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_weight_without_a_gradient_stays():
    model = Headed(build(Spec(**SMALL)))
    before = copy.deepcopy(model.state_dict())
    optimiser_of(model, MUON).step()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_it_needs_whole_matrices():
    recipe = find("cifar10-swin-pico")
    with pytest.raises(
        UsageError, match=r"run\.sharding is 'full'; it must be none for optimiser\.kind=muon"
    ):
        replace(recipe, optimiser=MUON, run=replace(recipe.run, sharding="full"))
    with pytest.raises(UsageError, match=r"optimiser\.kind is 'sgd'; it must be one of adamw, muon"):
        Optimiser(kind="sgd")  # pyright: ignore[reportArgumentType]
