"""Repository of a classifier on the Hugging Face hub, as a folder.

Where timm has the model, the weights stand under timm's names and config.json is timm's, so that timm, and
transformers through it, read the repository too; our own entry in it says the rest, to the bit.
"""

import json
from typing import Any

from ...files.folder import SavedModel
from ...models.config import family_of
from ...models.counts import num_parameters
from ...version import __version__
from ...weights.agreement import differing_stages
from ...weights.configs import timm_cannot, timm_config
from ...weights.load import export_weights
from ..publication import Claims, Publication
from .model import Classifier

TIMM_DIALECTS = {"v1": "timm", "v2": "timm", "v2-cr": "timm-cr"}  # by family
PIPELINES = {2: "image-classification", 3: "video-classification"}  # the hub's tasks, by axes


def publication(model: Classifier, own: dict[str, Any], name: str, claims: Claims) -> Publication:
    """Return `model` as the repository `name` (org/name) of the hub; `own` is its `config.json`."""
    spec, size = model.backbone.spec, model.preprocess.crop
    labels, preprocess = list(model.labels), model.preprocess.to_json()
    notes = []
    reason = timm_cannot(spec, size)
    if reason is None:
        dialect = TIMM_DIALECTS[family_of(spec)]
        shared = timm_config(spec, size, labels, preprocess)
        config = {**shared, "swinkit": {**own, "dialect": dialect}}
        if differing_stages(spec, "roll-first", "middle", size):
            notes.append(
                f"timm answers otherwise: its windows do not fit at {size[0]} x {size[1]} pixels, and its "
                f"borders are not {spec.border!r}"
            )
    else:
        dialect, config = "swinkit", own
        notes.append(f"only swinkit reads it: timm cannot hold this model: {reason}")
    readers = ("swinkit",) if reason else ("swinkit", "timm", "transformers")
    card = claims.card or ""
    if not card.startswith("---\n"):
        card = header(model, name, readers, claims) + (card or text(model, name, readers, notes, claims))
    state = {key: tensor.contiguous() for key, tensor in export_weights(model, dialect).items()}
    return Publication(SavedModel(config, preprocess, labels, state, card), readers, tuple(notes))


def header(model: Classifier, name: str, readers: tuple[str, ...], claims: Claims) -> str:
    """Return the metadata at the top of a card, which the hub reads. JSON values are YAML too."""
    task = PIPELINES.get(len(model.backbone.spec.patch))
    facts: dict[str, object] = {"library_name": "timm" if "timm" in readers else "swinkit"}
    facts["tags"] = ["swin-transformer", *readers]
    if task is not None:
        facts["pipeline_tag"] = task
    if claims.licence is not None:
        facts["license"] = claims.licence
    if claims.dataset is not None:
        metric = {"type": "accuracy", "name": "Top-1 accuracy", "value": claims.scores["top1"]}
        data = {"name": claims.dataset, "type": claims.dataset}
        result = {"task": {"type": task or "other"}, "dataset": data, "metrics": [metric]}
        facts["model-index"] = [{"name": name.split("/")[-1], "results": [result]}]
    lines = [f"{key}: {json.dumps(value)}" for key, value in facts.items()]
    return "\n".join(["---", *lines, "---", ""])


def text(model: Classifier, name: str, readers: tuple[str, ...], notes: list[str], claims: Claims) -> str:
    """Return the card's text."""
    spec, size = model.backbone.spec, model.preprocess.crop
    parameters = num_parameters(spec, len(model.labels)) / 1e6
    ways = {
        "swinkit": f'swinkit.load("hf:{name}")',
        "timm": f'timm.create_model("hf-hub:{name}", pretrained=True)',
        "transformers": f'transformers.AutoModelForImageClassification.from_pretrained("{name}")',
    }
    calls = "\n".join(ways[reader] for reader in readers)
    measured = "".join(
        f"\nReported: {score:.2%} top-1 on {claims.dataset}.\n" for score in claims.scores.values()
    )
    remarks = "".join(f"\nNote: {note}.\n" for note in notes)
    licence = "not stated by whoever published it" if claims.licence is None else claims.licence
    return f"""# {name.split("/")[-1]}

A Swin Transformer ({family_of(spec)}): {parameters:.1f} M parameters, {len(model.labels)} classes,
{size[0]} x {size[1]} pixels; published by swinkit {__version__}.
{measured}{remarks}
```python
{calls}
```

Training data, intended use and limits: not stated by whoever published it. Licence: {licence}.
"""
