"""Strict safetensors: the only file format read from outside, and the digest of a state.

The library accepts NaN, infinity and any shape, so layout and finiteness are checked here. numpy only, no torch.
A layout has one header, so that a file is held against its bytes and a stranger's header is never parsed: that would
take many times the memory of the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from contracts.errors import InvalidTensorFile
from contracts.files.whole_file import PartialFile

Tensors = Mapping[str, NDArray[np.generic]]
Layout = Mapping[str, tuple[str, tuple[int, ...]]]

DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "U8": np.dtype("u1"),
    "U16": np.dtype("<u2"),
    "U32": np.dtype("<u4"),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
MAX_HEADER = 2**20
"""Bytes of a header that is read without a layout; the largest layout of a run takes a tenth of it."""
_LENGTH = _ALIGNMENT = 8
_ORDER = ("I64", "F64", "F32", "U32", "U16", "U8")
"""The library's order of tensors in a file, before their names."""


def state_digest(tensors: Tensors) -> bytes:
    """32-byte BLAKE3 over one BLAKE3 per tensor (name, dtype, shape, little-endian bytes), sorted by name.

    The same on every OS and byte order; no second copy of a contiguous little-endian tensor is made.
    """
    hasher = blake3()
    for name in sorted(tensors):
        hasher.update(_tensor_digest(name, tensors[name]))
    return hasher.digest()


def pack(tensors: Tensors) -> bytes:
    """Safetensors bytes; equal tensors give equal bytes."""
    return save(_in_order(tensors))


def write(tensors: Tensors, path: Path) -> None:
    """The same bytes straight to a file, at a quarter of the time: no second copy is made.

    Whole or not at all; it is for the caller to sync it (contracts/files/whole_file.py:sync_file), once for several.
    Raises DiskFull and OSError.
    """
    layout = layout_like(tensors)
    with PartialFile(path.parent, path.name) as part:
        part.write(header_of(layout))
        for name in _placed(layout):
            part.write(_little(tensors[name]).reshape(-1).view(np.uint8).data)
        part.become(path, synced=False)


def layout_like(tensors: Tensors) -> Layout:
    """The layout that these tensors have in a file. Raises InvalidTensorFile."""
    return {name: (_kind(name, tensor), tensor.shape) for name, tensor in tensors.items()}


def unpack(data: bytes, layout: Layout, finite: bool = True) -> dict[str, NDArray[np.generic]]:
    """Read exactly the tensors of `layout` (name → safetensors dtype, shape), `finite` ones unless told otherwise.

    Raises InvalidTensorFile.
    """
    for name, (dtype, _) in layout.items():
        if dtype not in DTYPES:
            raise InvalidTensorFile(f"{name} has dtype {dtype}, which no state holds")
    if not has_layout(data, layout):
        raise InvalidTensorFile("not a safetensors file whose header and length are those of the layout")
    entries = _tensors(data)
    return {name: _read(name, entries[name], *layout[name], finite) for name in sorted(layout)}


def has_layout(data: bytes, layout: Layout) -> bool:
    """Whether a file has the header of these tensors and as many bytes as they take; none of them is read."""
    return data.startswith(header_of(layout)) and len(data) == packed_size(layout)


def packed_size(layout: Layout) -> int:
    """Bytes of the file that `pack` makes of these tensors."""
    return len(header_of(layout)) + sum(_bytes(*kind) for kind in layout.values())


def header_of(layout: Layout) -> bytes:
    """The start of a file of these tensors, length and padding included, as the library writes it."""
    header = {}
    offset = 0
    for name in _placed(layout):
        dtype, shape = layout[name]
        end = offset + _bytes(dtype, shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = _spelled(header)
    return len(text).to_bytes(_LENGTH, "little") + text


def layout_of(data: bytes) -> Layout:
    """Names, dtypes and shapes that a file holds. Raises InvalidTensorFile."""
    if int.from_bytes(data[:_LENGTH], "little") > MAX_HEADER:
        raise InvalidTensorFile(f"not a safetensors file: its header has more than {MAX_HEADER} bytes")
    return {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in _tensors(data).items()}


def _tensors(data: bytes) -> dict[str, dict[str, Any]]:
    """The library's reading, of a file with nothing beside. Raises InvalidTensorFile."""
    try:
        entries: dict[str, dict[str, Any]] = dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise InvalidTensorFile(f"not a safetensors file: {error}") from error
    _check_header(data)
    return entries


def _check_header(data: bytes) -> None:
    """Tensors alone, each once, in one spelling: no digest of a state covers what else a header could hold."""
    text = data[_LENGTH : _LENGTH + int.from_bytes(data[:_LENGTH], "little")]
    header = json.loads(text)
    if "__metadata__" in header or _spelled(header) != text:
        raise InvalidTensorFile("the header holds more than each tensor once, in the library's own spelling")


def _spelled(header: Mapping[str, Any]) -> bytes:
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % _ALIGNMENT)


def _bytes(dtype: str, shape: tuple[int, ...]) -> int:
    return DTYPES[dtype].itemsize * prod(shape)


def _placed(layout: Layout) -> list[str]:
    return sorted(layout, key=lambda name: (_ORDER.index(layout[name][0]), name))


def _in_order(tensors: Tensors) -> dict[str, NDArray[np.generic]]:
    return {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}


def _read(name: str, entry: Mapping[str, Any], dtype: str, shape: tuple[int, ...], finite: bool) -> NDArray[np.generic]:
    array: NDArray[np.generic] = np.frombuffer(entry["data"], dtype=DTYPES[dtype]).reshape(shape)
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidTensorFile(f"{name} holds NaN or infinity")
    return array


def _tensor_digest(name: str, tensor: NDArray[np.generic]) -> bytes:
    header = f"{len(name)}:{name}:{_kind(name, tensor)}:{','.join(map(str, tensor.shape))};".encode()
    hasher = blake3(header)
    hasher.update(_little(tensor).reshape(-1).view(np.uint8).data)
    return bytes(hasher.digest())


def _little(tensor: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.asarray(tensor, order="C").astype(tensor.dtype.newbyteorder("<"), copy=False)


def _kind(name: str, tensor: NDArray[np.generic]) -> str:
    kind = NAMES.get(tensor.dtype.newbyteorder("<"))
    if kind is None:
        raise InvalidTensorFile(f"{name} has dtype {tensor.dtype}, which no state holds")
    return kind
