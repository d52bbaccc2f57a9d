"""Names in a file that the training around a model left: wrappers, averages, losses, metrics, counters.

They are known by their names alone. What is not known for certain is never set aside here.
"""

import re

# Modules that compute what the module inside of them computes (data parallel, compile, FSDP, recompute).
TRANSPARENT = {
    *("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"),
}
FEATURE_STAGE = re.compile(r"(?:layers|stages)_\d{1,3}")  # as timm's features_only renames stages
COUNTERS = {
    *("n_averaged", "steps", "step", "global_step", "epoch", "initted", "num_updates", "decay"),
    *("pos_weight", "class_weight", "class_weights"),  # of a loss
}
PROFILED = {"total_ops", "total_params"}  # which a profiler registers in every module
RECORDS = {  # of losses, metrics, optimisers
    *("loss", "losses", "criterion", "criterions", "metric", "metrics", "meter", "meters"),
    *(
        "acc",
        "accuracy",
        "top1",
        "top5",
        "precision",
        "recall",
        "f1",
        "auroc",
        "auc",
        "confmat",
        "kappa",
        "iou",
        "miou",
    ),
    *("optimizer", "optimizers", "scheduler", "schedulers", "scaler"),
}
ADJECTIVES = {  # words that leave a record a record
    *("train", "training", "val", "valid", "validation", "test", "best", "fn", "func", "function", "lr"),
    *("cls", "ce", "bce", "mse", "focal", "dice", "soft", "smooth", "label", "smoothing", "cross", "entropy"),
    *("multiclass", "multilabel", "binary", "mean", "average", "score", "collection", "grad", "running"),
}
AVERAGED = {"ema", "swa", "averaged", "teacher", "momentum"}
WORD = re.compile(r"[tT]op[15]|[fF]1|[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def plain_name(name: str) -> str:
    """Return a name without transparent wrappers; "layers_0", of a feature network, becomes "layers.0"."""
    parts = [part for part in name.split(".") if part not in TRANSPARENT]
    return ".".join(part.replace("_", ".") if FEATURE_STAGE.fullmatch(part) else part for part in parts)


def is_record(name: str) -> bool:
    """Return whether a name, without the prefix of the model, is certainly that of no part of a model."""
    first, *rest = name.split(".")
    known = words(first)
    counted = not rest and first in COUNTERS
    return (
        counted
        or name.split(".")[-1] in PROFILED
        or (bool(known & RECORDS) and known <= RECORDS | ADJECTIVES)
    )


def is_average(prefix: str) -> bool:
    """Return whether a model under this prefix is the average, teacher or slow copy of another."""
    return any(part == "encoder_k" or words(part) & AVERAGED for part in prefix.split("."))


def words(part: str) -> set[str]:
    """Return the words of one part of a name in lower case: "val_acc1" has val and acc."""
    return {word.lower() for word in WORD.findall(part)}
