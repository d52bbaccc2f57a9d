"""Whatever a file holds, loading it gives the model or one clear error: no other exception, no hang."""

import json
import math
import struct
import time
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

import swinkit
from swinkit.errors import SwinkitError
from swinkit.tasks.classification.model import Classifier
from swinkit.weights.dialect_table import detect
from swinkit.weights.load import canonical, export_weights, load_weights

from ..weights.models import classifier

State = dict[str, Tensor]
LIMIT = 5.0  # seconds for a small file on a busy machine; what is quadratic or endless takes longer

# torch warns of sparse and quantised tensors
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]
few = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])

fewer = settings(few, max_examples=4)


def outcome(path: Path) -> object:
    """Return the model that `swinkit.load` reads from a file, or the message of its one clear error."""
    start = time.monotonic()
    try:
        result: object = swinkit.load(path)
    except SwinkitError as error:
        result = str(error)
        assert str(path) in result, "the message says where the trouble is"
        assert len(result) < 5000, "the message is short"
        assert all(line.isprintable() for line in result.splitlines()), (
            "the message cannot command a terminal"
        )
    assert time.monotonic() - start < LIMIT
    return result


def saved(state: State, path: Path, zipped: bool = True) -> Path:
    """Return the state as a file in the format that the name's ending tells."""
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.fixture(scope="module")
def theirs() -> State:
    """Return a small classifier in Microsoft's names."""
    return export_weights(classifier(), "microsoft")


@pytest.fixture(scope="module")
def contents(theirs: State, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the same as the bytes of each format."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        "a.pth": saved(theirs, folder / "a.pth").read_bytes(),
        "old.pth": saved(theirs, folder / "old.pth", zipped=False).read_bytes(),
        "a.safetensors": saved(theirs, folder / "a.safetensors").read_bytes(),
    }


FORMATS = st.sampled_from(["a.pth", "old.pth", "a.safetensors"])


@few
@given(name=FORMATS, part=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(tmp_path: Path, contents: dict[str, bytes], name: str, part: float):
    path = tmp_path / name
    path.write_bytes(contents[name][: int(len(contents[name]) * part)])
    assert isinstance(outcome(path), str)


@few
@given(name=FORMATS, cut=st.integers(0, 300), from_end=st.booleans())
def test_a_file_cut_inside_its_header_or_directory_is_refused(
    tmp_path: Path, contents: dict[str, bytes], name: str, cut: int, from_end: bool
):
    whole = contents[name]
    (tmp_path / name).write_bytes(whole[: -cut - 1] if from_end else whole[:cut])
    assert isinstance(outcome(tmp_path / name), str)


@few
@given(
    name=FORMATS,
    damage=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
    ),
    early=st.booleans(),
)
def test_changed_bytes_give_a_model_or_an_error(
    tmp_path: Path, contents: dict[str, bytes], name: str, damage: list[tuple[float, int]], early: bool
):
    whole = bytearray(contents[name])
    for place, value in damage:
        whole[int((2000 if early else len(whole)) * place)] = value
    (tmp_path / name).write_bytes(whole)
    outcome(tmp_path / name)


@few
@given(content=st.binary(max_size=200), begin=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x04"]))
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors", "a.pkl"])
def test_noise_is_refused(tmp_path: Path, name: str, content: bytes, begin: bytes):
    (tmp_path / name).write_bytes(begin + content)
    assert isinstance(outcome(tmp_path / name), str)


@few
@given(order=st.randoms(use_true_random=False), name=FORMATS)
def test_the_order_of_names_is_of_no_matter(tmp_path: Path, theirs: State, order: object, name: str):
    names = list(theirs)
    order.shuffle(names)  # type: ignore[attr-defined]
    path = saved({key: theirs[key] for key in names}, tmp_path / name, zipped=name != "old.pth")
    model = outcome(path)
    assert isinstance(model, Classifier)
    assert torch.equal(model.head.classifier.weight, theirs["head.weight"])


NAMES = {
    "another's": "head.weight",
    "a norm": "norm.weight",
    "wrapped": "module.patch_embed.proj.weight",
    "a far stage": "layers.999999999999.blocks.0.norm1.weight",
    "a far block": "layers.0.blocks.99999999999999999999.norm1.weight",
    "a number that Python does not read": f"layers.{'9' * 500}.blocks.0.norm1.weight",
    "the same, longer": f"layers.{'9' * 5000}.blocks.0.norm1.weight",
    "a negative stage": "layers.-1.blocks.0.norm1.weight",
    "a deep name": "layers.0.blocks.0." + "attn." * 1000 + "qkv",
    "no stage": "norms.first.weight",
    "an empty part": "norms..weight",
    "ours": "backbone.stages.0.blocks.500.norm1.weight",
    "long": "a" * 1_000_000,
    "with a long prefix": "a." * 500_000 + "patch_embed.proj.weight",
    "a terminal's": "\x1b[2J\x07",
    "lines": "\n" * 50,
    "half a character": "\ud800",
    "empty": "",
}


@fewer
@given(which=st.integers(0, 10_000), name=st.sampled_from(["a.pth", "old.pth"]))
@pytest.mark.parametrize("kind", NAMES)
def test_a_renamed_tensor_is_no_crash(tmp_path: Path, theirs: State, kind: str, which: int, name: str):
    old, new = list(theirs)[which % len(theirs)], NAMES[kind]
    renamed = {new if key == old else key: tensor for key, tensor in theirs.items()}
    outcome(saved(renamed, tmp_path / name, zipped=name != "old.pth"))


SHAPES = st.one_of(
    st.just(()),
    st.lists(st.integers(0, 9), max_size=6).map(tuple),
    st.sampled_from([(0, 10**15), (10**15, 0), (1,) * 40, (10**6,), (3, 1, 1, 1, 1)]),
)


@few
@example(which="head.weight", shape=())
@example(which="head.weight", shape=(10**15, 0))
@example(which="patch_embed.proj.weight", shape=(0, 3, 4, 4))
@example(which="layers.0.blocks.0.attn.relative_position_bias_table", shape=(10**15, 0))
@example(which="layers.0.blocks.0.attn.relative_position_index", shape=(10**6,))
@example(which="layers.0.downsample.reduction.weight", shape=())
@given(
    which=st.sampled_from(
        [
            "patch_embed.proj.weight",
            "patch_embed.norm.bias",
            "layers.0.blocks.0.attn.relative_position_bias_table",
            "layers.0.blocks.0.attn.relative_position_index",
            "layers.0.blocks.0.attn.qkv.weight",
            "layers.0.blocks.0.mlp.fc1.weight",
            "layers.0.downsample.reduction.weight",
            "absolute_pos_embed",
            "head.weight",
        ]
    ),
    shape=SHAPES,
)
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_a_wrong_shape_is_no_crash(
    tmp_path: Path, theirs: State, name: str, which: str, shape: tuple[int, ...]
):
    outcome(saved({**theirs, which: torch.zeros(shape)}, tmp_path / name))


V2 = [
    "attn.logit_scale",
    "attn.relative_coords_table",
    "attn.cpb_mlp.0.weight",
    "attn.q_bias",
    "attn.qkv.bias",
]


@few
@given(which=st.sampled_from(V2), shape=SHAPES, value=st.sampled_from([0.0, -1.0, 1e30, math.inf, math.nan]))
def test_a_wrong_tensor_of_a_v2_is_no_crash(tmp_path: Path, which: str, shape: tuple[int, ...], value: float):
    state = export_weights(classifier("v2"), "microsoft")
    outcome(saved({**state, f"layers.0.blocks.0.{which}": torch.full(shape, value)}, tmp_path / "a.pth"))


KINDS = {
    "int": lambda x: x.int(),
    "bool": lambda x: x.bool(),
    "complex": lambda x: x.cfloat(),
    "sparse": lambda x: x.to_sparse(),
    "quantised": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
    "meta": lambda x: x.to("meta"),
    "expanded": lambda x: torch.zeros((), dtype=x.dtype).expand(x.shape),
}
CAST = {"half": torch.float16, "bfloat": torch.bfloat16, "double": torch.float64, "fp8": torch.float8_e4m3fn}


@pytest.mark.parametrize("part", ["one", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_are_no_floating_point_numbers_is_refused(tmp_path: Path, theirs: State, kind: str, part: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = [name for name in theirs if theirs[name].is_floating_point()]
        chosen = chosen[:1] if part == "one" else chosen
        path = saved(theirs | {name: KINDS[kind](theirs[name]) for name in chosen}, tmp_path / "a.pth")
    if kind == "expanded":
        outcome(path)
    else:
        assert isinstance(outcome(path), str)


@pytest.mark.parametrize("kind", CAST)
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_numbers_of_another_precision_load(tmp_path: Path, theirs: State, kind: str, name: str):
    cast = {
        key: tensor.to(CAST[kind]) if tensor.is_floating_point() else tensor for key, tensor in theirs.items()
    }
    model = outcome(saved(cast, tmp_path / name))
    assert isinstance(model, Classifier)
    assert model.head.classifier.weight.dtype == torch.float32
    assert torch.equal(model.head.classifier.weight, cast["head.weight"].float())


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_numbers_that_are_not_finite_load_and_are_told(
    tmp_path: Path, theirs: State, name: str, value: float, capsys: pytest.CaptureFixture[str]
):
    assert isinstance(outcome(saved(theirs, tmp_path / name)), Classifier)
    assert "not finite" not in capsys.readouterr().err
    broken = theirs | {"head.bias": torch.full_like(theirs["head.bias"], value)}
    assert isinstance(outcome(saved(broken, tmp_path / name)), Classifier)
    assert "not finite" in capsys.readouterr().err


HEADERS = {
    "one terabyte": struct.pack("<Q", 2**40) + b"{}",
    "negative": struct.pack("<q", -1) + b"{}",
    "deep": (lambda text: struct.pack("<Q", len(text)) + text)(b'{"a":' * 100_000),
    "offsets beyond the end": None,
    "overlapping offsets": None,
    "negative offsets": None,
    "duplicate names": None,
    "huge shape": None,
    "shape that overflows": None,
}


def with_header(entries: str, data: int = 64) -> bytes:
    """Return a safetensors file of this header, and `data` zeros."""
    return struct.pack("<Q", len(entries)) + entries.encode() + bytes(data)


def entry(shape: list[int], begin: int, end: int) -> str:
    """One tensor of a header."""
    return json.dumps({"dtype": "F32", "shape": shape, "data_offsets": [begin, end]})


HEADERS |= {
    "offsets beyond the end": with_header(f'{{"a": {entry([16], 0, 2**50)}}}'),
    "overlapping offsets": with_header(f'{{"a": {entry([16], 0, 64)}, "b": {entry([16], 0, 64)}}}'),
    "negative offsets": with_header(f'{{"a": {entry([16], -64, 0)}}}'),
    "duplicate names": with_header(f'{{"a": {entry([8], 0, 32)}, "a": {entry([8], 32, 64)}}}'),
    "huge shape": with_header(f'{{"a": {entry([2**40, 2**40], 0, 64)}}}'),
    "shape that overflows": with_header(f'{{"a": {entry([2**62, 4, 4], 0, 64)}}}'),
    "wrong metadata": with_header(f'{{"__metadata__": {{"a": 1}}, "a": {entry([16], 0, 64)}}}'),
    "a list": with_header("[1, 2]"),
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_a_hostile_header_of_safetensors_is_refused(tmp_path: Path, header: str, name: str):
    (tmp_path / name).write_bytes(HEADERS[header])
    assert isinstance(outcome(tmp_path / name), str)


@few
@given(
    values=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["model", "state_dict", "module", "ema", "x"]), inner, max_size=4
            )
        ),
        max_leaves=20,
    )
)
def test_anything_but_tensors_is_refused(tmp_path: Path, values: object):
    torch.save(values, tmp_path / "a.pth")
    assert isinstance(outcome(tmp_path / "a.pth"), str)


def test_two_models_in_one_file_are_refused(tmp_path: Path, theirs: State):
    both = {f"{part}.{name}": tensor for part in ("online", "target") for name, tensor in theirs.items()}
    assert "two models" in str(outcome(saved(both, tmp_path / "a.pth")))


@pytest.mark.parametrize(
    "junk",
    [
        "junk.{}",
        "layers.{}.blocks.0.norm1.weight",
        "layers.0.blocks.{}.attn." + "a." * 100 + "weight",
        "backbone.stages.{}.blocks.{}.norm1.weight",
        "features.{}.1.attn.qkv.bias",
        "a" * 400 + "{}",
        "0" * 400 + ".{}",
    ],
)
def test_time_does_not_grow_faster_than_the_number_of_strange_names(theirs: State, junk: str):
    tensor = torch.zeros(1)
    seconds = []
    for count in (500, 2000):
        state = {junk.replace("{}", str(number)): tensor for number in range(count)} | theirs
        start = time.process_time()
        with suppress(SwinkitError):
            detect(state)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 8 * seconds[0] + 0.5  # four times as many names; were it quadratic, 16 times as long


@few
@given(
    which=st.integers(0, 10_000),
    shape=SHAPES,
    dtype=st.sampled_from([torch.float32, torch.int64, torch.complex64, torch.float16]),
    name=st.text(max_size=12),
)
def test_a_state_from_memory_fits_or_is_refused_and_changes_nothing(
    which: int, shape: tuple[int, ...], dtype: torch.dtype, name: str
):
    model = classifier()
    before = canonical(model)
    old = list(before)[which % len(before)]
    state = {key: tensor.clone() for key, tensor in before.items()} | {
        name or old: torch.zeros(shape, dtype=dtype)
    }
    copy = {key: tensor.clone() for key, tensor in before.items()}
    try:
        load_weights(model, state)
    except SwinkitError:
        assert all(torch.equal(copy[key], tensor) for key, tensor in canonical(model).items())
