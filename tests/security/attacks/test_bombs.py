"""Attack: a small file that asks for endless memory or time. Each is refused within 2 GiB and 5 seconds.

Each refusal is known by its reason: torch refuses some such files by itself, and others as its memory ends.
"""

import json
import pickle
import struct
import zipfile
from itertools import product
from pathlib import Path

import torch

from .confined import refusals
from .pickled import SHARED, number, text, torch_zip

GIGANTIC = number(2**32)  # twice the memory
MANY = 60_000
ONE_HASH = [k * (2**61 - 1) for k in range(1, MANY + 1)]
SIGNS = product((b"J\xff\xff\xff\xff", b"J\xfe\xff\xff\xff"), repeat=16)  # -1 and -2 have one hash
TYPED = b"ctorch._tensor\n_rebuild_from_type_v2\n"
LONG_TEXT = text("x" * 200_000)

FORBIDDEN, WAY = "holds more than tensors: `{}`", "calls `{}` in a way that no file"
NO_KEYS, COPIES = "keys that are neither names nor numbers", "copy more than the file holds"

PICKLES = {  # in torch's zip: what the file says, and why it is refused
    "bytes": (b"cbuiltins\nbytearray\n" + GIGANTIC + b"\x85R", FORBIDDEN.format("builtins.bytearray")),
    "python2": (b"c__builtin__\nbytearray\n" + GIGANTIC + b"\x85R", FORBIDDEN.format("builtins.bytearray")),
    "tensor": (b"ctorch\nFloatTensor\n" + GIGANTIC + b"\x85R", FORBIDDEN.format("torch.FloatTensor")),
    "type": (
        TYPED + b"(cbuiltins\nbytearray\ncbuiltins\nbytearray\n" + GIGANTIC + b"\x85}tR",
        FORBIDDEN.format("builtins.bytearray"),
    ),
    "type-set": (
        TYPED + b"(cbuiltins\nset\ncbuiltins\nset\n]" + SHARED + b"a\x85NtR",
        WAY.format("torch._tensor._rebuild_from_type_v2"),
    ),
    "key": (b"}" + SHARED + b"K\x01s", NO_KEYS),
    "set": (b"cbuiltins\nset\n]" + SHARED + b"a\x85R", NO_KEYS),
    "counter": (b"ccollections\nCounter\n]" + SHARED + b"a\x85R", WAY.format("collections.Counter")),
    "ordered": (
        b"ccollections\nOrderedDict\n]" + SHARED + b"N\x86a\x85R",
        WAY.format("collections.OrderedDict"),
    ),
    "state": (b"ccollections\nOrderedDict\n)R]" + SHARED + b"N\x86ab", "a state to an object that has none"),
    "storage-key": (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + SHARED + text("cpu") + b"K\x00tQ",
        "refers to an object that is no storage",
    ),
    "numbers": (b"}(" + b"".join(number(key) + b"N" for key in ONE_HASH) + b"u", "a gigantic number"),
    "signs": (b"}(" + b"".join(b"(" + b"".join(key) + b"tN" for key in SIGNS) + b"u", NO_KEYS),
    "encoding": (
        b"c_codecs\nencode\n"
        + text("".join(map(chr, range(0x4E00, 0xA000))) * 3)
        + text("punycode")
        + b"\x86R",
        WAY.format("_codecs.encode"),
    ),
    "copies": (
        b"](c_codecs\nencode\nq\x00"
        + LONG_TEXT
        + text("latin1")
        + b"\x86q\x01R"
        + b"h\x00h\x01R" * 20_000
        + b"e",
        COPIES,
    ),
    "counters": (
        b"](ccollections\nCounter\nq\x00}("
        + b"".join(b"M" + struct.pack("<H", key) + b"N" for key in range(2**16))
        + b"u\x85q\x01R"
        + b"h\x00h\x01R" * 20_000
        + b"e",
        COPIES,
    ),
}


def compressed(path: Path) -> Path:
    """Return a thousand times larger once it is unpacked."""
    torch.save({"model": {"w": torch.zeros(2**22)}}, path)
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: archive.read(member) for member in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def expanded(path: Path) -> Path:
    """Tensors of one number that claim to be of 10**12."""
    torch.save({"model": {"w": torch.zeros(1).expand(10**6, 10**6)}}, path)
    return path


def endless(path: Path) -> Path:
    """Return a dictionary that holds itself."""
    loop: dict[str, object] = {}
    loop["model"] = loop
    torch.save(loop, path)
    return path


def old(path: Path, before: bytes, after: bytes) -> Path:
    """Return a file as torch wrote it before 1.6, of four zeros, with other instructions in one place."""
    torch.save({"w": torch.zeros(4)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    assert whole.count(before) == 1
    path.write_bytes(whole.replace(before, after))
    return path


def header(path: Path, length: int) -> Path:
    """Return a safetensors file whose header claims a length."""
    claim = json.dumps({"a": {"dtype": "F32", "shape": [2**30, 2**30], "data_offsets": [0, 2**62]}}).encode()
    path.write_bytes(struct.pack("<Q", length or len(claim)) + claim)
    return path


def plain(path: Path, content: bytes) -> Path:
    """Return a pickle of its own."""
    path.write_bytes(content)
    return path


def test_pickles_in_a_zip_are_refused(tmp_path: Path):
    paths = [torch_zip(tmp_path / name, b"\x80\x02" + says + b".") for name, (says, _) in PICKLES.items()]
    for said, (_, reason) in zip(refusals(*paths), PICKLES.values(), strict=True):
        assert reason in said
        assert len(said) < 1000


def test_other_files_are_refused(tmp_path: Path):
    key = b"\x80\x02}" + SHARED + b"Ns."
    claims = b"\x80\x04B" + b"\xff\xff\xff\x7f" + b"x"  # bytes, of which 2 GiB are announced
    empty = (
        b"\x80\x02}" + text("model") + b"}" + text("a") + b"cnumpy.core.numeric\n_frombuffer\n("
        b"c_codecs\nencode\n" + text("") + b"\x85R" + b"cnumpy\ndtype\n" + text("f4") + b"\x85R"
        + GIGANTIC + b"\x85" + text("C") + b"tRss."
    )  # fmt: skip
    refused = {
        compressed(tmp_path / "compressed.pth"): "it is compressed",
        torch_zip(tmp_path / "case.pth", key, "archive/DATA.PKL"): NO_KEYS,
        expanded(tmp_path / "expanded.pth"): "claims 4000000000000 bytes of tensors",
        endless(tmp_path / "endless.pth"): "dictionaries without an end",
        old(
            tmp_path / "order.pth", b"\x80\x02]q\x00X", b"\x80\x02]" + SHARED + b"aX"
        ): "its list of storages does not match",
        old(tmp_path / "size.pth", b"K\x04\x85", number(2**30) + b"\x85"): WAY.format(
            "torch._utils._rebuild_tensor_v2"
        ),
        old(tmp_path / "room.pth", b"K\x04Nt", number(2**30) + b"Nt"): "storages claim more than it holds",
        header(tmp_path / "header.safetensors", 2**40): "no whole safetensors file",
        header(tmp_path / "shape.safetensors", 0): "no whole safetensors file",
        plain(tmp_path / "claims.pkl", claims): "or a damaged one",
        plain(tmp_path / "deep.pkl", b"\x80\x04" + b"(" * 300_000 + b"."): "or a damaged one",
        plain(tmp_path / "key.pkl", key): NO_KEYS,
        plain(
            tmp_path / "name.pkl", b"\x80\x04" + SHARED + text("a") + b"\x93."
        ): "by a value that is no name",
        plain(tmp_path / "empty.pkl", empty): "or a damaged one",
        torch_zip(tmp_path / "lists.pth", pickle.dumps([[[]] * 1000] * 1000, 2)): "holds a list",
    }
    for (path, reason), said in zip(refused.items(), refusals(*refused), strict=True):
        assert str(path) in said
        assert reason in said
        assert len(said) < 1000
