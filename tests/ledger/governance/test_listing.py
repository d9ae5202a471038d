"""A page of proposals costs by its rows, whatever strangers wrote into them: words are made once, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode

import contracts.calls.words
from contracts.bindings.governor import Action
from contracts.calls.words import MOST_READ, MOST_WORDS, calls_in_words
from contracts.chain.connection import send
from contracts.ids import Address
from tests.house import House

pytestmark = pytest.mark.integration
LARGEST_ROW = 4_096


def heavy(house: House) -> Action:
    """A call of the timelock that takes longest to read for its length."""
    kinds = ["address[]", "uint256[]", "bytes[]", "bytes32", "bytes32"]
    arguments = encode(kinds, [["0x" + "11" * 20] * 80, [1] * 80, [b""] * 40, bytes(32), bytes(32)])
    selector = bytes(house.place.w3.keccak(text=f"executeBatch({','.join(kinds)})")[:4])
    return Action(house.place.deployment.timelock, selector + arguments)


def test_who_reads_a_page_pays_for_nothing_that_strangers_wrote(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before: ten transactions of a stranger cost each reader of the list seconds of the server's CPU."""
    house.become_holders()
    governor, call = house.ledger.chain.governor, heavy(house)
    text = "\n<>" * 2_000
    send(house.place.w3, house.wallets[0], governor.propose([call] * 14, text))
    read: list[int] = []
    decoded = contracts.calls.words._decoded

    def counted(w3: Any, name: str, target: Address, data: bytes) -> Any:
        read.append(len(data))
        return decoded(w3, name, target, data)

    monkeypatch.setattr(contracts.calls.words, "_decoded", counted)
    house.step()
    assert 0 < sum(read) <= 2 * MOST_READ, "once, as a function of the model and of a currency"
    read.clear()
    for _ in range(3):
        answer = house.client.get("/v1/proposals")
    (row,) = [row for row in answer.json() if row["call_count"] == 14]
    assert len(answer.content) < LARGEST_ROW * len(answer.json())
    assert (row["description"], row["description_length"]) == (text[:200], len(text))
    assert row["first_call"].startswith("ModelTimelock.executeBatch(")
    assert "calls" not in row
    whole = house.get(f"/proposals/{row['id']}")
    assert (len(whole["calls"]), whole["calls"][13]["data"]) == (14, "0x" + call.data.hex())
    assert all(0 < len(one["words"]) <= MOST_WORDS + 30 for one in whole["calls"])
    assert whole["description"] == text
    assert read == [], "read again by who asked"


def test_of_all_calls_together_so_much_is_read(house: House) -> None:
    call, (w3, place) = heavy(house), (house.place.w3, house.place.deployment)
    told = calls_in_words(w3, place, [call] * 200)
    assert len(told) == contracts.calls.words.MOST_CALLS
    named = [line.startswith("ModelTimelock.executeBatch(") for line in told]
    assert named == [True] * named.count(True) + [False] * named.count(False)
    assert 0 < named.count(True) <= MOST_READ // len(call.data)
