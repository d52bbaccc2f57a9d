"""Names of Hugging Face's transformers: its classifiers, its masked image models, and its backbones.

V1 has had two sets of names: files on the hub have the older one, models in memory the newer; V2 and the
copies of V1 for MaskFormer and Donut have the older. Query, key and value are separate projections. Whole
models put their Swin under `swin.` or `swinv2.`; a bare one (`SwinModel`) has no prefix.

Classifiers shrink a window that covers the shorter side; backbones do not ("pad"), and norm each output.
V2 and MaskFormer's V1 have an absolute embedding of one token too many, with which they cannot run: its
tensor has no name here.
"""

from dataclasses import replace

from .. import unsupported as limits
from ..dialect import Dialect
from ..rules import Rename, Rule
from ..shared_rules import (
    BLOCK,
    MIXER,
    apart,
    keyless_apart,
    merges,
    reconstruction,
    token_positions,
    window_buffers,
)

BLOCKS = "encoder.layers.{i}.blocks.{j}."
SELF = f"{BLOCKS}attention.self."
EMBEDDING: tuple[Rule, ...] = (
    Rename("embeddings.patch_embeddings.projection.*", "backbone.embed.proj.*"),
    Rename("embeddings.norm.*", "backbone.embed.norm.*"),
)
AROUND: tuple[Rule, ...] = (
    Rename(f"{BLOCKS}layernorm_before.*", f"{BLOCK}norm1.*"),
    Rename(f"{BLOCKS}layernorm_after.*", f"{BLOCK}norm2.*"),
    *merges("encoder.layers.{i}.downsample."),
)
POSITIONS = token_positions("embeddings.position_embeddings")
HEADS: tuple[Rule, ...] = (
    Rename("layernorm.*", "head.norm.*"),
    Rename("classifier.*", "head.classifier.*"),
    *reconstruction("embeddings.mask_token", "decoder.0"),
)

CURRENT: tuple[Rule, ...] = (
    *EMBEDDING,
    POSITIONS,
    *AROUND,
    apart(f"{BLOCKS}attention.", ("q_proj", "k_proj", "v_proj")),
    Rename(f"{BLOCKS}attention.o_proj.*", f"{MIXER}proj.*"),
    Rename(f"{BLOCKS}attention.relative_position_bias.relative_position_bias_table", f"{MIXER}bias.table"),
    Rename(f"{BLOCKS}mlp.fc1.*", f"{BLOCK}channel_mixer.fc1.*"),
    Rename(f"{BLOCKS}mlp.fc2.*", f"{BLOCK}channel_mixer.fc2.*"),
)
OLDER: tuple[Rule, ...] = (
    *EMBEDDING,
    *AROUND,
    Rename(f"{BLOCKS}attention.output.dense.*", f"{MIXER}proj.*"),
    Rename(f"{BLOCKS}intermediate.dense.*", f"{BLOCK}channel_mixer.fc1.*"),
    Rename(f"{BLOCKS}output.dense.*", f"{BLOCK}channel_mixer.fc2.*"),
)
OLDER_V1: tuple[Rule, ...] = (
    *OLDER,
    apart(SELF, ("query", "key", "value")),
    Rename(f"{SELF}relative_position_bias_table", f"{MIXER}bias.table"),
)
V2: tuple[Rule, ...] = (
    *OLDER,
    *keyless_apart(SELF, ("query", "key", "value")),
    Rename(f"{SELF}logit_scale", f"{MIXER}similarity.log_scale"),
    Rename(f"{SELF}continuous_position_bias_mlp.0.*", f"{MIXER}bias.mlp.0.*"),
    Rename(f"{SELF}continuous_position_bias_mlp.2.*", f"{MIXER}bias.mlp.2.*"),
)
NORMS = Rename("hidden_states_norms.stage{i+1}.*", "norms.{i}.*")
OLDER_BUFFERS = window_buffers(BLOCKS, attention="attention.self.")
BUFFERS = window_buffers(BLOCKS, attention="attention.relative_position_bias.")
DETECTORS = (  # the rest of UPerNet, MaskFormer and Mask2Former
    "layernorm.**",
    "swin.layernorm.**",  # of the bare model in a backbone of today, which answers without it
    "decode_head.**",
    "auxiliary_head.**",
    "decoder.fpn.**",
    "decoder.mask_projection.**",
    "decoder.input_projections.**",
    "decoder.encoder.**",
    "decoder.level_embed",
    "decoder.adapter_{i}.**",
    "decoder.layer_{i}.**",
    "transformer_module.**",
    "class_predictor.**",
    "mask_embedder.**",
    "criterion.**",
)

TRANSFORMERS = Dialect(
    "transformers",
    (*CURRENT, *HEADS),
    buffers=BUFFERS,
    axes=(2,),
    border="square",
    prefix="swin.",
    beside=("classifier.", "decoder."),
    cannot=limits.TRANSFORMERS,
)
TRANSFORMERS_LEGACY = replace(
    TRANSFORMERS,
    name="transformers-legacy",
    rules=(*OLDER_V1, POSITIONS, *HEADS),
    buffers=OLDER_BUFFERS,
    unused=("decoder.model.**", "decoder.lm_head.**"),  # the text decoder of a Donut
)
TRANSFORMERS_V2 = replace(
    TRANSFORMERS,
    name="transformers-v2",
    rules=(*V2, *HEADS),
    buffers=OLDER_BUFFERS,
    prefix="swinv2.",
    cannot=limits.TRANSFORMERS_V2,
)
TRANSFORMERS_V2_BACKBONE = Dialect(
    "transformers-v2-backbone",
    V2,
    buffers=OLDER_BUFFERS,
    unused=DETECTORS,
    axes=(2,),
    border="square",
    cannot=limits.TRANSFORMERS_V2,
)
TRANSFORMERS_BACKBONE = Dialect(
    "transformers-backbone",
    (*CURRENT, NORMS),
    buffers=BUFFERS,
    unused=DETECTORS,
    axes=(2,),
    border="pad",
    prefix="swin.",
    beside=("hidden_states_norms.",),
    cannot=limits.TRANSFORMERS,
)
TRANSFORMERS_LEGACY_BACKBONE = replace(
    TRANSFORMERS_BACKBONE,
    name="transformers-legacy-backbone",
    rules=(*OLDER_V1, NORMS, Rename("hidden_states_norms.{i}.*", "norms.{i}.*")),  # the last: MaskFormer's
    buffers=OLDER_BUFFERS,
    prefix="",
    beside=(),
)
