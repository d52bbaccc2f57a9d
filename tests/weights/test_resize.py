"""Other windows and grids: bicubic, head by head, as the official loader does it."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from swinkit.errors import UsageError
from swinkit.weights.load import export_weights, load_weights
from swinkit.weights.resize import resize_absolute, resize_table

from .models import Whole, classifier


def test_a_table_is_resized_as_by_hand():
    table = torch.randn(13 * 13, 3)
    by_hand = [
        F.interpolate(table[:, head].view(1, 1, 13, 13), (23, 23), mode="bicubic", align_corners=False)
        for head in range(3)
    ]
    torch.testing.assert_close(
        resize_table(table, (7, 7), (12, 12)), torch.cat(by_hand, 1)[0].flatten(1).T, atol=2e-6, rtol=0
    )


def test_an_oblong_table_keeps_its_axes_apart():
    rows = torch.randn(5, 9)
    grown = resize_table(rows.reshape(45, 1), (3, 5), (3, 7))
    by_hand = F.interpolate(rows[None, None], (5, 13), mode="bicubic", align_corners=False)
    torch.testing.assert_close(grown.view(5, 13), by_hand[0, 0], atol=2e-6, rtol=0)


def test_an_absolute_embedding_is_resized_as_by_hand():
    embedding = torch.randn(6, 9, 4)
    by_hand = F.interpolate(embedding.permute(2, 0, 1)[None], (8, 5), mode="bicubic", align_corners=False)
    torch.testing.assert_close(
        resize_absolute(embedding, (8, 5)), by_hand[0].permute(1, 2, 0), atol=2e-6, rtol=0
    )


def test_half_precision_is_resized_in_single():
    table = torch.randn(49, 2).half()
    assert torch.equal(
        resize_table(table, (4, 4), (6, 6)), resize_table(table.float(), (4, 4), (6, 6)).half()
    )


def test_windows_of_three_axes_are_not_resized():
    with pytest.raises(UsageError, match="only windows of two axes"):
        resize_table(torch.randn(27, 2), (2, 2, 2), (3, 3, 3))


def test_loading_resizes_as_the_official_loader(shared):
    """Window 7 -> 12, grid 14 -> 24; the head, of another class count, is the model's own."""
    case = shared / "golden" / "resize_load_pretrained_a"
    inputs, expected = load_file(case / "inputs.safetensors"), load_file(case / "outputs.safetensors")
    checkpoint = {
        name.removeprefix("checkpoint."): x for name, x in inputs.items() if name.startswith("checkpoint.")
    }
    sizes = {"embed_dim": 8, "depths": (2, 1), "num_heads": (2, 4), "mlp_ratio": 2.0}
    model = classifier(num_classes=7, window_sizes=((12, 12),) * 2, absolute_grid=(24, 24), **sizes)
    report = load_weights(model, checkpoint, new_head=True)
    assert set(report.resized) == {
        "backbone.position.embedding",
        *(f"backbone.stages.{i}.blocks.{j}.token_mixer.bias.table" for i, j in ((0, 0), (0, 1), (1, 0))),
    }
    assert set(report.reinitialised) == {"head.classifier.weight", "head.classifier.bias"}
    loaded = export_weights(model, "microsoft")
    for name, tensor in expected.items():
        if not name.startswith("head.") and not name.endswith("attn_mask"):
            torch.testing.assert_close(loaded[name], tensor, rtol=0, atol=1e-6, msg=name)


def test_a_v2_changes_its_window_without_resizing():
    source = classifier("v2")
    target = Whole(
        classifier("v2", window_sizes=((6, 6),) * 2, pretrained_window_sizes=((4, 4),) * 2).backbone
    )
    assert not load_weights(target, export_weights(source, "microsoft")).resized
