"""The allow-list, rule by rule: what real files say passes, the next thing to it is refused."""

import pytest

from swinkit.errors import DataError
from swinkit.files.pickle_allowlist import inspect

from ..security.attacks.pickled import number, text

STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x04tQ"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00K\x04\x85K\x01\x85\x89}tR"


def inspected(says: bytes) -> None:
    """Inspect one pickle."""
    inspect(b"\x80\x02" + says + b".", 1000)


@pytest.mark.parametrize(
    "says",
    [
        TENSOR,
        TENSOR.replace(b"}tR", b"NtR"),
        b"ctorch._utils\n_rebuild_parameter\n(" + TENSOR + b"\x88}tR",
        b"ctorch._utils\n_rebuild_parameter_with_state\n(" + TENSOR + b"\x88}}tR",
        b"ctorch\nSize\nK\x01K\x02\x86\x85R",
        b"ctorch\ndevice\n" + text("cuda") + b"K\x01\x86R",
        b"c__builtin__\nset\n]" + text("a") + b"a\x85R",
        b"c__builtin__\nlong\n",
        b"ccollections\nCounter\n}K\x01K\x02s\x85R",
        b"}" + number(2**59) + b"Ns",
    ],
)
def test_it_passes(says: bytes):
    inspected(says)


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (TENSOR.replace(b"K\x04\x85", b"K\x05\x85"), "in a way"),  # one number more than there is
        (TENSOR.replace(b"tQK\x00", b"tQK\x01"), "in a way"),  # the last number lies outside
        (TENSOR.replace(b"K\x04\x85K\x01\x85", b"K\x04\x85)"), "in a way"),  # an axis without a stride
        (TENSOR.replace(b"tR", b"}tR"), "in a way"),  # a sixth argument: bits that no weights have
        (TENSOR.replace(STORAGE, b"N"), "in a way"),
        (TENSOR + b"}b", "a state to an object that has none"),
        (TENSOR.replace(b"FloatStorage", b"float32"), "refers to an object that is no storage"),
        (TENSOR.replace(b"K\x04tQ", number(2000) + b"tQ"), "storages claim more"),
        (b"(" + TENSOR + TENSOR.replace(b"K\x04tQ", b"K\x05tQ") + b"t", "storages claim more"),
        (b"(" + TENSOR + TENSOR.replace(b"FloatStorage", b"IntStorage") + b"t", "storages claim more"),
        (TENSOR.replace(b"K\x04tQ", b"K\x04" + text("v") + b"K\x02K\x03\x87tQ"), "part of a storage"),
        (b"ctorch._utils\n_rebuild_parameter\n(]\x88}tR", "in a way"),
        (b"ctorch._utils\n_rebuild_parameter_with_state\n(" + TENSOR + b"\x88}]tR", "in a way"),
        (b"ctorch\nFloatStorage\nK\x01\x85R", "calls `torch.FloatStorage`"),
        (b"ctorch\nTensor\n)R", "calls `torch.Tensor`"),
        (b"ctorch\nSize\n" + text("12") + b"\x85R", "in a way"),
        (b"ctorch\ndevice\n)\x85R", "in a way"),
        (b"c_codecs\nencode\n" + text("a") + text("utf8") + b"\x86R", "in a way"),
        (b"ccollections\nOrderedDict\n]\x85R", "in a way"),
        (b"ccollections\nCounter\n" + text("a") + b"\x85R", "in a way"),
        (b"cbuiltins\nset\n)\x85R", "in a way"),
        (b"cbuiltins\nset\n])a\x85R", "neither names nor numbers"),
        (b"}" + number(-(2**60)) + b"Ns", "gigantic number"),
        (b"}" + text("a" * 5000) + b"Ns", "key of 5000 characters"),
        (b"}ctorch\nfloat32\nNs", "neither names nor numbers"),
        (b"cos\nsystem\n", "holds more than tensors: `os.system`"),
        (b"ccollections\n" + b"a" * 300 + b"\n", "by a value that is no name"),
        (b"ctorch\nfloat32\\x1b\n", r"`torch.float32\x1b`"),
    ],
)
def test_it_is_refused(says: bytes, reason: str):
    with pytest.raises(DataError) as caught:
        inspected(says)
    assert reason in str(caught.value)
