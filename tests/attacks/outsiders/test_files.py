"""A tensor file holds tensors, each once: nothing that no digest of a state covers is read, so none of it is served."""

from __future__ import annotations

import json

import numpy as np
import pytest

from contracts.errors import InvalidTensorFile
from contracts.tensors.tensorfile import layout_of, pack, unpack

pytestmark = pytest.mark.unit
LAYOUT = {"theta.w": ("F32", (4,))}


def with_header(change: bytes) -> bytes:
    """A tensor file with more in its header."""
    data = pack({"theta.w": np.arange(4, dtype=np.float32)})
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size].rstrip().replace(b"{", b"{" + change, 1)
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


METADATA = b'"__metadata__":' + json.dumps({"note": "x" * 90_000}).encode() + b","
TWICE = b'"theta.w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
SPACES = b" " * 90_000


@pytest.mark.parametrize("change", [METADATA, TWICE, SPACES], ids=["90-kB-of-metadata", "a-key-twice", "spaces"])
def test_a_tensor_header_holds_tensors_alone(change: bytes) -> None:
    """X3: two readers can read no two files, and a file is as large as its tensors."""
    assert list(unpack(with_header(b""), LAYOUT)) == ["theta.w"]
    for read in (lambda data: unpack(data, LAYOUT), layout_of):
        with pytest.raises(InvalidTensorFile):
            read(with_header(change))
