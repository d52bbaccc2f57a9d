"""Reader of transformers' config.json: every field is read, or refused by name. Torch-free.

No name in it is looked up.
"""

import math
from typing import Any

from ..core.spec import Size, Spec
from ..errors import DataError
from ..files.typed_json import Settings
from ..models.families import SpecV2
from .hub_configs import (
    ONE_LABEL,
    RESAMPLING,
    Facts,
    build_spec,
    check_preprocess,
    reference_windows,
    require_known,
)

KINDS = {"swin": Spec, "donut-swin": Spec, "maskformer-swin": Spec, "swinv2": SpecV2}  # by `model_type`
ACTIVATIONS = ("gelu", "gelu_python")  # both exact
PROBLEMS = (ONE_LABEL, "multi_label_classification", "regression")
READ = {
    *("model_type", "image_size", "patch_size", "num_channels", "embed_dim", "depths", "num_heads"),
    *("mlp_ratio", "window_size", "pretrained_window_sizes", "qkv_bias", "use_absolute_embeddings"),
    *("hidden_act", "layer_norm_eps", "num_layers", "hidden_size", "id2label", "num_labels"),
    *("problem_type", "pruned_heads", "quantization_config", "auto_map"),
}
TOLD_BY_TENSORS = {  # and refused there if they do not fit
    *("architectures", "encoder_stride", "out_features", "out_indices", "stage_names", "label2id"),
}
LEFT_ALONE = {  # of trainings, of other kinds of models, and of the library; none changes an answer
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate", "initializer_range"),
    *("path_norm", "dtype", "torch_dtype", "transformers_version", "_name_or_path", "_commit_hash"),
    *("output_hidden_states", "output_attentions", "return_dict", "return_dict_in_generate"),
    *("use_cache", "chunk_size_feed_forward", "torchscript", "use_bfloat16", "tf_legacy_loss"),
    *("tie_word_embeddings", "tie_encoder_decoder", "is_decoder", "is_encoder_decoder"),
    *("add_cross_attention", "cross_attention_hidden_size", "finetuning_task"),
    *("task_specific_params", "tokenizer_class", "prefix", "gradient_checkpointing"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id"),
    *("max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping", "num_beams"),
    *("num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p"),
    *("repetition_penalty", "length_penalty", "no_repeat_ngram_size"),
    *("encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores"),
    *("forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values", "suppress_tokens"),
    *("begin_suppress_tokens", "exponential_decay_length_penalty", "attn_implementation"),
    *("_attn_implementation", "_attn_implementation_autoset", "experts_implementation"),
    *("_experts_implementation",),
}
FRAMING = ("thumbnail", "pad", "align_long_axis")  # Donut's and MaskFormer's way with pages and scenes


def from_transformers(config: Settings, preprocessor: Settings | None) -> Facts:
    """Read the facts from a config.json of transformers."""
    name = config.text("model_type", "")
    if name not in KINDS:
        known = ", ".join(KINDS)
        raise DataError(f"{config.name}: model_type {name!r} is no Swin that swinkit reads (known: {known})")
    require_known(config, READ | TOLD_BY_TENSORS | LEFT_ALONE)
    activation, epsilon = config.text("hidden_act", "gelu"), config.number("layer_norm_eps", 1e-5, above=0)
    config.require(activation in ACTIVATIONS, "hidden_act", "'gelu', as in every published Swin")
    config.require(math.isclose(epsilon, 1e-5), "layer_norm_eps", "1e-5, as in every published Swin")
    for key in ("pruned_heads", "quantization_config"):
        config.require(not config.get(key, None), key, "left out: weights must be whole and in plain numbers")
    code = [key for key in config.part("auto_map").values if key.startswith("AutoModel")]
    config.require(not code, "auto_map", "without a model: swinkit runs no code that stands beside weights")
    spec = transformers_spec(KINDS[name], config)
    names = config.part("id2label").values
    labels = tuple(config.by_number("id2label", names)) if names else None
    classes = config.integer("num_labels", 2) if labels is None else len(labels)
    return Facts(
        spec=spec,
        size=config.size("image_size", (224, 224)),
        preprocess=None if preprocessor is None else transformers_preprocess(preprocessor),
        labels=labels,
        problem=transformers_problem(config, classes),
    )


def transformers_problem(config: Settings, classes: int) -> str:
    """Return what the head answers; for transformers a head of one output answers with a number."""
    problem = config.text("problem_type", ONE_LABEL)
    config.require(problem in PROBLEMS, "problem_type", f"one of {', '.join(map(repr, PROBLEMS))}")
    return "regression" if (problem, classes) == (ONE_LABEL, 1) else problem


def transformers_spec(kind: type[Spec], config: Settings) -> Spec:
    """Return the spec; V2 cuts windows to the grids of its `image_size` when built, V1 when it runs."""
    depths = config.integers("depths", (2, 2, 6, 2))
    patch, image = config.size("patch_size", (4, 4)), config.size("image_size", (224, 224))
    grid = tuple(s // p for s, p in zip(image, patch, strict=True))
    side = config.integer("window_size", 7)
    windows: tuple[Size, ...] = ((side, side),) * len(depths)
    fields: dict[str, Any] = {
        "patch": patch,
        "in_channels": config.integer("num_channels", 3),
        "embed_dim": config.integer("embed_dim", 96),
        "depths": depths,
        "num_heads": config.integers("num_heads", (3, 6, 12, 24)),
        "mlp_ratio": config.number("mlp_ratio", 4.0, above=0),
        "qkv_bias": config.flag("qkv_bias", True),
        "absolute_grid": grid if config.flag("use_absolute_embeddings", False) else None,
    }
    follows = {"num_layers": len(depths), "hidden_size": fields["embed_dim"] * 2 ** (len(depths) - 1)}
    for key, value in follows.items():
        config.require(config.integer(key, value) == value, key, f"{value}, as depths and embed_dim say")
    if kind is SpecV2:
        config.require(fields["absolute_grid"] is None, "use_absolute_embeddings", "false, as in every V2")
        windows = tuple((min(side, max(1, grid[0] >> stage)),) * 2 for stage in range(len(depths)))
        fields["pretrained_window_sizes"] = reference_windows(config, windows)
    return build_spec(lambda: kind(**fields, window_sizes=windows), config.name)


def transformers_preprocess(preprocessor: Settings) -> dict[str, Any] | None:
    """Return the fields of a `Preprocess`; None, with a warning, where it cannot express them."""
    size, cropped = preprocessor.get("size", None), preprocessor.flag("do_center_crop", False)
    shortest = isinstance(size, dict) and "shortest_edge" in size
    crop = preprocessor.get("crop_size", size) if cropped else size
    known = (not shortest or cropped) and (shortest or not cropped) and crop is not None
    known = known and all(preprocessor.flag(f"do_{step}", True) for step in ("resize", "rescale"))
    known = known and "crop_pct" not in preprocessor.values
    factor = preprocessor.number("rescale_factor", 1 / 255, above=0)
    known = known and math.isclose(factor, 1 / 255, rel_tol=1e-4)
    known = known and not preprocessor.get("rescale_offset", False)
    known = known and not any(preprocessor.flag(f"do_{step}", False) for step in FRAMING)
    normed = preprocessor.flag("do_normalize", True)
    number = preprocessor.integer("resample", 2, least=0)
    fields = {
        "crop": read_size(preprocessor, crop) if known else (1, 1),
        "resize": Settings(preprocessor.name, size).integer("shortest_edge", 1) if shortest else None,
        "interpolation": RESAMPLING.get(number, str(number)),
        "mean": preprocessor.colours("image_mean", (0.485, 0.456, 0.406)) if normed else (0.0,) * 3,
        "std": preprocessor.colours("image_std", (0.229, 0.224, 0.225), above=0) if normed else (1.0,) * 3,
    }
    return check_preprocess(fields, known, preprocessor.name)


def read_size(preprocessor: Settings, value: Any) -> Size:
    """Return (h, w) of a size in transformers' layout: {"height": h, "width": w}, or one number."""
    if isinstance(value, dict):
        value = [value.get("height"), value.get("width")]
    return preprocessor.pair("size", value)
