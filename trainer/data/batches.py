"""Which bytes a node trains on at a step: a counter-based draw, any step without the ones before."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from contracts.errors import CommonweightError
from contracts.ids import Address, from_hex
from contracts.protocol.run_config import RunConfig
from contracts.protocol.schedule import rate_share


class Batch(NamedTuple):
    """What one inner step learns from: x and y, (batch, context) int64 each, y being x one token later; and how much
    of the peak learning rate it takes."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    rate_share: float


BatchSource = Callable[[int], Batch]
"""Step of the round, from 0, to its batch."""

_CONTEXT = b"commonweight batch v1"


class InvalidBatchRequest(CommonweightError):
    """A batch was asked for with a seed, address, step or corpus that cannot name one."""

    code = "invalid-batch-request"


def batch_offsets(data_seed: bytes, round_number: int, node: Address, step: int, count: int, limit: int) -> list[int]:
    """`count` window starts in [0, limit), from Philox-4x64 keyed by BLAKE3 of the inputs.

    The raw 64-bit words are scaled with whole numbers, because numpy keeps the raw stream stable and not its
    derived distributions. Raises InvalidBatchRequest.
    """
    if len(data_seed) != 32:
        raise InvalidBatchRequest(f"the data seed must have 32 bytes, has {len(data_seed)}")
    if round_number < 0 or step < 0 or limit < 1:
        raise InvalidBatchRequest(f"round {round_number}, step {step} or window count {limit} is out of range")
    message = _CONTEXT + data_seed + round_number.to_bytes(8, "little") + _address_bytes(node)
    key = blake3(message + step.to_bytes(8, "little")).digest(length=16)
    words = np.random.Philox(key=np.frombuffer(key, dtype="<u8").astype(np.uint64)).random_raw(count)
    return [(int(word) * limit) >> 64 for word in words]


def batch(
    tokens: NDArray[np.uint8], config: RunConfig, data_seed: bytes, round_number: int, node: Address, step: int
) -> Batch:
    """The batch of one inner step. Raises InvalidBatchRequest."""
    limit = len(tokens) - config.context
    offsets = batch_offsets(data_seed, round_number, node, step, config.batch, limit)
    windows = np.stack([tokens[start : start + config.context + 1] for start in offsets]).astype(np.int64)
    return Batch(windows[:, :-1], windows[:, 1:], rate_share(config, round_number, step))


def batch_source(
    tokens: NDArray[np.uint8], config: RunConfig, data_seed: bytes, round_number: int, node: Address
) -> BatchSource:
    """`batch` with everything fixed but the step."""
    return lambda step: batch(tokens, config, data_seed, round_number, node, step)


def _address_bytes(node: Address) -> bytes:
    """The 20 bytes of a 0x-address, so that its checksum spelling makes no difference."""
    try:
        raw = from_hex(node)
    except ValueError as error:
        raise InvalidBatchRequest(f"{node!r} is not an address") from error
    if len(raw) != 20:
        raise InvalidBatchRequest(f"{node!r} is not an address")
    return raw
