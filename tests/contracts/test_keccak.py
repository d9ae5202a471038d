"""keccak-256 against a known vector and against the library that web3 uses."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from contracts.keccak import keccak256

pytestmark = pytest.mark.unit


def test_nothing_hashes_to_the_published_value() -> None:
    """The code hash of every account without code (EIP-1052); FIPS 202's SHA3-256 gives another."""
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@given(st.binary(max_size=300))
def test_both_libraries_give_the_same_bits(data: bytes) -> None:
    """135, 136 and 137 bytes lie on both sides of a block of the sponge."""
    for text in (data, data.ljust(135, b"\0"), data.ljust(136, b"\1"), data.ljust(137, b"\x81")):
        assert keccak256(text) == keccak(text)
