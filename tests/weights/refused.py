"""Models that other libraries cannot hold for more than their number of axes, and why."""

from swinkit.core.spec import Spec

from ..models.small import spec

REFUSED: dict[str, tuple[str, Spec, str]] = {
    "torchvision: cut windows": (
        "torchvision",
        spec("v2", window_sizes=((8, 8), (4, 4))),
        "its stages share one window, and this model's are 8, 4",
    ),
    "torchvision: grown windows": (
        "torchvision",
        spec("v2", pretrained_window_sizes=((3, 3),) * 2),
        "it knows no window of pre-training, and this model measures its offsets in 3, 3",
    ),
    "torchvision: grey pictures": (
        "torchvision",
        spec(in_channels=1),
        "three channels, and .* in_channels=1",
    ),
    "torchvision: no patch norm": ("torchvision", spec(patch_norm=False), "always norms .* patch_norm=False"),
    "torchvision: no biases": (
        "torchvision",
        spec(qkv_bias=False),
        "always have a bias, and .* qkv_bias=False",
    ),
    "torchvision: positions": ("torchvision", spec(absolute_grid=(16, 16)), "no absolute position embedding"),
    "torchvision: scale": (
        "torchvision",
        spec(qk_scale=0.5),
        "by the width of a head alone, .* qk_scale=0.5",
    ),
    "torchvision: main norms": ("torchvision", spec("v2", norm_every=1), "no extra norms on the main branch"),
    "torchvision: window of one": (
        "torchvision",
        spec("v2", window_sizes=((1, 1),) * 2),
        "its offsets in a window of one token are 0 / 0",
    ),
    "torchvision-3d: no biases": ("torchvision-3d", spec("video", qkv_bias=False), "always have a bias"),
    "torchvision-3d: no patch norm": ("torchvision-3d", spec("video", patch_norm=False), "always norms"),
    "torchvision-3d: cut windows": (
        "torchvision-3d",
        spec("video", window_sizes=((8, 4, 4), (4, 4, 4))),
        "its stages share one window, and this model's are 8 x 4 x 4, 4 x 4 x 4",
    ),
    "torchvision-3d: merging of time": (
        "torchvision-3d",
        spec("video", merge=(2, 2, 2)),
        "merges .* one way",
    ),
    "torchvision-3d: scale": ("torchvision-3d", spec("video", qk_scale=0.5), "by the width of a head alone"),
    "torchvision-3d: positions": ("torchvision-3d", spec("video", absolute_grid=(4, 8, 8)), "no absolute"),
    "timm: positions": ("timm", spec(absolute_grid=(16, 16)), "no absolute position embedding"),
    "timm: scale": ("timm", spec(qk_scale=0.5), "by the width of a head alone"),
    "timm: no patch norm": ("timm", spec("v2", patch_norm=False), "always norms the embedded patches"),
    "timm: main norms": ("timm", spec("v2", norm_every=1), "no extra norms on the main branch"),
    "timm: merging of three": ("timm", spec(merge=(3, 3)), "merges patches in one way only"),
    "timm-cr: merging of three": ("timm-cr", spec("v2-cr", merge=(3, 3)), "merges patches in one way"),
    "transformers: cut windows": (
        "transformers",
        spec(window_sizes=((8, 8), (4, 4))),
        "its stages share one window, and this model's are 8, 4",
    ),
    "transformers: oblong windows": (
        "transformers",
        spec(window_sizes=((4, 8),) * 2),
        "its windows are squares, and this model has one of 4 x 8",
    ),
    "transformers: scale": ("transformers", spec(qk_scale=0.5), "by the width of a head alone"),
    "transformers: no patch norm": (
        "transformers",
        spec(patch_norm=False),
        "always norms the embedded patches",
    ),
    "transformers: small positions": (
        "transformers",
        spec(absolute_grid=(6, 6)),
        "the grid of the absolute embedding, 6 x 6, which does not give 4, 4",
    ),
    "transformers-v2: positions": (
        "transformers-v2",
        spec("v2", absolute_grid=(16, 16)),
        "cannot add an absolute position embedding",
    ),
    "transformers-v2: growing windows": (
        "transformers-v2",
        spec("v2", window_sizes=((4, 4), (8, 8))),
        "no size gives 4, 8",
    ),
    "transformers-v2: main norms": ("transformers-v2", spec("v2", norm_every=1), "no extra norms"),
    "transformers-v2: oblong reference": (
        "transformers-v2",
        spec("v2", pretrained_window_sizes=((3, 4),) * 2),
        "its windows are squares, and this model has one of 3 x 4",
    ),
    "microsoft: growing windows": ("microsoft", spec(window_sizes=((4, 4), (8, 8))), "no size gives 4, 8"),
    "microsoft: main norms": ("microsoft", spec("v2", norm_every=2), "no extra norms on the main branch"),
    "microsoft: oblong windows": ("microsoft", spec("mlp", window_sizes=((4, 8),) * 2), "are squares"),
    "microsoft: window of one": ("microsoft", spec("v2", window_sizes=((1, 1),) * 2), "are 0 / 0"),
    "openmmlab-dense: cut windows": (
        "openmmlab-dense",
        spec(window_sizes=((8, 8), (4, 4))),
        "share one window",
    ),
    "openmmlab-fork: V2": ("openmmlab-fork", spec("v2"), "it has no Swin V2"),
    "openmmlab: oblong windows": ("openmmlab", spec(window_sizes=((4, 8),) * 2), "are squares"),
    "openmmlab-v2: merging of three": ("openmmlab-v2", spec("v2", merge=(3, 3)), "merges patches in one way"),
    "openmmlab-video: cut windows": (
        "openmmlab-video",
        spec("video", window_sizes=((8, 4, 4), (4, 4, 4))),
        "share one window",
    ),
    "detectron2: V2": ("detectron2", spec("v2"), "it has no Swin V2"),
    "microsoft-simmim: MLP": ("microsoft-simmim", spec("mlp"), "it has no Swin-MLP"),
    **{
        f"{dialect}: {family}": (dialect, spec(family), f"it has no {name}")
        for family, name in {"mlp": "Swin-MLP", "moe": "Swin-MoE", "v2-cr": "V2-CR"}.items()
        for dialect in ("timm", "torchvision", "transformers", "openmmlab")
    },
    "microsoft: v2-cr": ("microsoft", spec("v2-cr"), "it has no V2-CR"),
}
