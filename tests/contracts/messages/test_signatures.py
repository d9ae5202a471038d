from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account
from eth_keys.constants import SECPK1_N

from contracts.errors import BadField, BadSignature
from contracts.messages import for_contracts as messages
from contracts.messages.for_log import StateOpening
from contracts.messages.signatures import Domain, digest, recover, require_signer, sign
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit
KEY = bytes.fromhex("11" * 32)
SIGNER = Account.from_key(KEY).address
DOMAIN = Domain(31337, "0x" + "ab" * 20)


def opening() -> StateOpening:
    return StateOpening(b"\1" * 32, 3, b"\2" * 32, b"\3" * 32, b"\4" * 32, 9_000)


def high_s(signature: bytes) -> bytes:
    s = SECPK1_N - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


def test_the_signer_is_recovered() -> None:
    assert recover(opening(), DOMAIN, sign(opening(), DOMAIN, KEY)) == SIGNER


@holds(
    "A message is valid only for its signer, chain and registry",
    by="contracts/messages/signatures.py:require_signer",
    against=Threat.FORGED_MESSAGE,
)
@pytest.mark.parametrize("other", [Domain(1, DOMAIN.verifying_contract), Domain(31337, "0x" + "cd" * 20)])
def test_foreign_chain_or_contract_is_refused(other: Domain) -> None:
    with pytest.raises(BadSignature, match="not by"):
        require_signer(opening(), other, sign(opening(), DOMAIN, KEY), SIGNER)


def test_changed_field_is_refused() -> None:
    with pytest.raises(BadSignature):
        require_signer(replace(opening(), boundary=4), DOMAIN, sign(opening(), DOMAIN, KEY), SIGNER)


@holds(
    "A signature has exactly one valid form",
    by="contracts/messages/signatures.py:recover",
    against=Threat.FORGED_MESSAGE,
)
def test_high_s_twin_is_refused_though_the_library_takes_it() -> None:
    with pytest.raises(BadSignature, match="lower half"):
        recover(opening(), DOMAIN, high_s(sign(opening(), DOMAIN, KEY)))


@pytest.mark.parametrize("v", [0, 1, 26, 29, 35])
def test_odd_v_is_refused(v: int) -> None:
    with pytest.raises(BadSignature, match="27 or 28"):
        recover(opening(), DOMAIN, sign(opening(), DOMAIN, KEY)[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 64, 66])
def test_odd_length_is_refused(length: int) -> None:
    with pytest.raises(BadSignature, match="65 bytes"):
        recover(opening(), DOMAIN, (sign(opening(), DOMAIN, KEY) + b"\0")[:length])


def test_digest_differs_between_messages_and_domains() -> None:
    digests = {
        digest(opening(), DOMAIN),
        digest(replace(opening(), boundary=4), DOMAIN),
        digest(opening(), Domain(1, DOMAIN.verifying_contract)),
    }
    assert len(digests) == 3


def test_type_string_is_the_eip712_encode_type() -> None:
    assert messages.type_string(StateOpening) == (
        "StateOpening(bytes32 proof,uint32 boundary,bytes32 weights,bytes32 inner,bytes32 blob,uint64 size)"
    )


def test_wire_form_round_trips() -> None:
    root = messages.EpochRoot(b"\1" * 32, 1, 0, b"\2" * 32, 10**24, 3, 9, b"\3" * 32, 4, 5)
    wire = messages.to_json(root)
    assert wire["total"] == str(10**24)
    assert messages.from_json(messages.EpochRoot, wire) == root


@pytest.mark.parametrize(
    ("field", "value"),
    [("total", 5), ("total", "-1"), ("total", "1e3"), ("epoch", True), ("epoch", 1 << 64), ("root", "0x12")],
)
def test_misfitting_wire_field_is_named(field: str, value: object) -> None:
    root = messages.EpochRoot(b"\1" * 32, 1, 0, b"\2" * 32, 10**24, 3, 9, b"\3" * 32, 4, 5)
    with pytest.raises(BadField, match=field):
        messages.from_json(messages.EpochRoot, {**messages.to_json(root), field: value})


def test_unknown_field_is_refused() -> None:
    with pytest.raises(BadField, match="exactly"):
        messages.from_json(StateOpening, {**messages.to_json(opening()), "more": 1})
