"""Strict safetensors: the only file format read from outside, and the digest of a state.

The library accepts NaN, infinity and any shape, so layout and finiteness are checked here. numpy only, no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save, save_file

from contracts.errors import InvalidTensorFile

Tensors = Mapping[str, NDArray[np.generic]]
Layout = Mapping[str, tuple[str, tuple[int, ...]]]

DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "I64": np.dtype("<i8"), "U8": np.dtype("u1")}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def state_digest(tensors: Tensors) -> bytes:
    """32-byte BLAKE3 over one BLAKE3 per tensor (name, dtype, shape, little-endian bytes), sorted by name.

    The same on every OS and byte order; no second copy of a contiguous little-endian tensor is made.
    """
    whole = blake3()
    for name in sorted(tensors):
        whole.update(_tensor_digest(name, tensors[name]))
    return whole.digest()


def pack(tensors: Tensors) -> bytes:
    """Safetensors bytes; equal tensors give equal bytes."""
    return save(_in_order(tensors))


def write(tensors: Tensors, path: Path) -> None:
    """The same bytes straight to a file, at a quarter of the time: no second copy is made."""
    save_file(_in_order(tensors), path)


def unpack(data: bytes, layout: Layout) -> dict[str, NDArray[np.generic]]:
    """Read exactly the tensors of `layout` (name → safetensors dtype, shape). Raises InvalidTensorFile."""
    found = _tensors(data)
    if set(found) != set(layout):
        raise InvalidTensorFile(f"tensors differ from the layout: {sorted(set(found) ^ set(layout))[:5]}")
    return {name: _read(name, found[name], *layout[name]) for name in sorted(layout)}


def layout_of(data: bytes) -> Layout:
    """Names, dtypes and shapes that a file holds. Raises InvalidTensorFile."""
    return {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in _tensors(data).items()}


def _tensors(data: bytes) -> dict[str, dict[str, Any]]:
    """The library's reading, of a file with nothing beside. Raises InvalidTensorFile."""
    try:
        found: dict[str, dict[str, Any]] = dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise InvalidTensorFile(f"not a safetensors file: {error}") from error
    _check_header(data)
    return found


def _check_header(data: bytes) -> None:
    """Tensors alone, each once, in one spelling: no digest of a state covers what else a header could hold."""
    text = data[8 : 8 + int.from_bytes(data[:8], "little")]
    header = json.loads(text)
    spelled = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    if "__metadata__" in header or spelled + b" " * (-len(spelled) % 8) != text:
        raise InvalidTensorFile("the header holds more than each tensor once, in the library's own spelling")


def _in_order(tensors: Tensors) -> dict[str, NDArray[np.generic]]:
    return {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}


def _read(name: str, entry: Mapping[str, object], dtype: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    if dtype not in DTYPES:
        raise InvalidTensorFile(f"{name} has dtype {dtype}, which no state holds")
    if entry["dtype"] != dtype or tuple(entry["shape"]) != shape:  # type: ignore[arg-type]
        raise InvalidTensorFile(f"{name} must be {dtype}{list(shape)}, is {entry['dtype']}{entry['shape']}")
    array = np.frombuffer(entry["data"], dtype=DTYPES[dtype]).reshape(shape)  # type: ignore[call-overload]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidTensorFile(f"{name} holds NaN or infinity")
    return array  # type: ignore[no-any-return]


def _tensor_digest(name: str, tensor: NDArray[np.generic]) -> bytes:
    little = np.asarray(tensor, order="C").astype(tensor.dtype.newbyteorder("<"), copy=False)
    if little.dtype not in NAMES:
        raise InvalidTensorFile(f"{name} has dtype {tensor.dtype}, which no state holds")
    header = f"{len(name)}:{name}:{NAMES[little.dtype]}:{','.join(map(str, tensor.shape))};".encode()
    hasher = blake3(header)
    hasher.update(little.reshape(-1).view(np.uint8).data)
    return bytes(hasher.digest())
