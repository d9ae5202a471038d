from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from safetensors.numpy import save

from contracts.errors import InvalidTensorFile
from contracts.tensors import tensorfile
from contracts.tensors.tensorfile import DTYPES, has_layout, header_of, layout_of, pack, state_digest, unpack
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit
LAYOUT = {"theta.w": ("F32", (2, 3)), "step": ("I64", ())}


def state() -> dict[str, np.ndarray]:
    return {"theta.w": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(4, dtype=np.int64)}


def test_round_trip_keeps_bits_and_digest() -> None:
    read = unpack(pack(state()), LAYOUT)
    assert state_digest(read) == state_digest(state())


@holds(
    "The digest of a state does not depend on the memory layout",
    by="contracts/tensors/tensorfile.py:state_digest",
    against=Threat.UNLIKE_MACHINES,
)
def test_digest_ignores_order_and_memory_layout_but_nothing_else() -> None:
    base = state_digest(state())
    assert state_digest(dict(reversed(state().items()))) == base
    assert state_digest({**state(), "theta.w": np.asfortranarray(state()["theta.w"])}) == base
    assert state_digest({**state(), "theta.w": state()["theta.w"].astype(">f4")}) == base
    others = [
        {**state(), "theta.w": state()["theta.w"].reshape(3, 2)},
        {**state(), "theta.w": np.nextafter(state()["theta.w"], np.float32(9))},
        {"theta.x": state()["theta.w"], "step": state()["step"]},
        {**state(), "theta.w": state()["theta.w"].astype(np.float64)},
    ]
    assert base not in {state_digest(other) for other in others}


@holds(
    "A tensor file with NaN, infinity or a wrong shape is refused",
    by="contracts/tensors/tensorfile.py:unpack",
    against=Threat.FALSE_WORK,
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(value: float) -> None:
    tensor = state()["theta.w"].copy()
    tensor[0, 0] = value
    with pytest.raises(InvalidTensorFile, match="NaN or infinity"):
        unpack(save({**state(), "theta.w": tensor}), LAYOUT)


@pytest.mark.parametrize(
    "changed",
    [
        {"theta.w": np.zeros((3, 2), np.float32)},
        {"theta.w": np.zeros((2, 3), np.float64)},
        {"extra": np.zeros(1, np.float32)},
    ],
)
def test_another_layout_is_refused(changed: dict[str, np.ndarray]) -> None:
    with pytest.raises(InvalidTensorFile):
        unpack(save({**state(), **changed}), LAYOUT)


@pytest.mark.parametrize("data", [b"", b"\0" * 8, b"\xff" * 64, pickle.dumps({"theta.w": 1})])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidTensorFile, match="not a safetensors"):
        unpack(data, LAYOUT)


def test_truncated_file_is_refused() -> None:
    with pytest.raises(InvalidTensorFile):
        unpack(pack(state())[:-1], LAYOUT)


def test_dtype_that_no_state_holds_is_refused() -> None:
    with pytest.raises(InvalidTensorFile, match="dtype"):
        state_digest({"w": np.zeros(2, np.complex64)})


def test_a_layout_has_the_header_that_the_library_writes() -> None:
    kinds = [(kind, shape) for kind in DTYPES for shape in ((), (1,), (2, 3))]
    layout = {f"{prefix}.{number}ä": kind for prefix in "za" for number, kind in enumerate(kinds)}
    data = pack({name: np.zeros(shape).astype(DTYPES[kind]) for name, (kind, shape) in layout.items()})
    assert data.startswith(header_of(layout))
    assert has_layout(data, layout)
    assert layout_of(data) == layout


def all_header(count: int) -> bytes:
    """A file of many tensors without a byte."""
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    text = json.dumps({f"t{number}": empty for number in range(count)}, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text


def test_a_header_of_another_length_is_refused_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    monkeypatch.setattr(tensorfile, "deserialize", lambda data: parsed.append(len(data)))
    with pytest.raises(InvalidTensorFile):
        unpack(all_header(30), LAYOUT)
    with pytest.raises(InvalidTensorFile):
        layout_of(all_header(20_000))
    assert parsed == []
