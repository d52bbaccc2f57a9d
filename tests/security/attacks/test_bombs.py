"""Attack: a small file that asks for endless memory or time. Each is refused within 2 GiB and 5 seconds."""

import json
import pickle
import struct
import zipfile
from pathlib import Path

import torch

from .confined import refusals
from .pickled import torch_zip

GIGANTIC = b"\x8a\x06" + (2**40).to_bytes(6, "little")


def compressed(path: Path) -> Path:
    """A thousand times larger once it is unpacked."""
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
    """A dictionary that holds itself."""
    loop: dict[str, object] = {}
    loop["model"] = loop
    torch.save(loop, path)
    return path


def header(path: Path, length: int) -> Path:
    """A safetensors file whose header claims a length."""
    text = json.dumps({"a": {"dtype": "F32", "shape": [2**30, 2**30], "data_offsets": [0, 2**62]}}).encode()
    path.write_bytes(struct.pack("<Q", length or len(text)) + text)
    return path


def test_they_are_refused(tmp_path: Path):
    claims = b"\x80\x04B" + b"\xff\xff\xff\x7f" + b"x"  # bytes, of which 2 GiB are announced
    (tmp_path / "claims.pkl").write_bytes(claims)
    (tmp_path / "deep.pkl").write_bytes(b"\x80\x04" + b"(" * 300_000 + b".")
    (tmp_path / "lists.pth").write_bytes(pickle.dumps([[[]] * 1000] * 1000, 4))
    paths = [
        compressed(tmp_path / "compressed.pth"),
        torch_zip(tmp_path / "bytes.pth", b"\x80\x02cbuiltins\nbytearray\n" + GIGANTIC + b"\x85R."),
        torch_zip(tmp_path / "tensor.pth", b"\x80\x02ctorch\nFloatTensor\n" + GIGANTIC + b"\x85R."),
        torch_zip(tmp_path / "keys.pth", b"\x80\x02}K\x01\x85" + b"2\x86" * 60 + b"K\x01s."),
        torch_zip(tmp_path / "set.pth", b"\x80\x02cbuiltins\nset\n]K\x01\x85" + b"2\x86" * 60 + b"a\x85R."),
        expanded(tmp_path / "expanded.pth"),
        endless(tmp_path / "endless.pth"),
        header(tmp_path / "header.safetensors", 2**40),
        header(tmp_path / "shape.safetensors", 0),
        tmp_path / "claims.pkl",
        tmp_path / "deep.pkl",
        tmp_path / "lists.pth",
    ]
    for path, said in zip(paths, refusals(*paths), strict=True):
        assert str(path) in said
        assert len(said) < 1000
