from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from contracts.protocol.limits import (
    METRICS,
    InvalidLimits,
    LimitTable,
    PairLimits,
    PairRefused,
    decimal_text,
    pair_key,
)

pytestmark = pytest.mark.unit
A, B = b"\x0a" * 32, b"\x0b" * 32


def pair(ratio: str = "40") -> PairLimits:
    honest = dict.fromkeys(METRICS, ("0.0000001", "0.000001", "0.000002"))
    return PairLimits(pair_key(B, A), 100, 10, honest, dict.fromkeys(METRICS, "0.00002"), {"learning-rate": ratio})


def test_a_table_survives_its_json_and_its_digest_names_it() -> None:
    table = LimitTable((pair(),))
    assert LimitTable.from_json(table.to_json()) == table
    assert LimitTable((replace(pair(), segments=101),)).digest() != table.digest()


def test_a_pair_has_no_order() -> None:
    table = LimitTable((pair(),))
    assert table.of(A, B) == table.of(B, A)


def test_an_unknown_pair_is_refused() -> None:
    with pytest.raises(InvalidLimits, match="no limits"):
        LimitTable((pair(),)).of(A, b"\x0c" * 32)


def test_a_pair_that_separates_a_cheat_below_ten_is_refused() -> None:
    with pytest.raises(PairRefused, match="learning-rate"):
        LimitTable((pair("9.99"),)).of(A, B)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entry: entry.pop("cheats"),
        lambda entry: entry.update(more=1),
        lambda entry: entry["limit"].update(update="NaN"),
        lambda entry: entry["limit"].update(slope="-1"),
        lambda entry: entry["honest"].pop("moment1"),
        lambda entry: entry.update(profiles=["zz", "zz"]),
        lambda entry: entry["profiles"].reverse(),
    ],
)
def test_a_malformed_table_is_refused(spoil: Callable[[dict[str, object]], object]) -> None:
    entries = json.loads(LimitTable((pair(),)).to_json())
    spoil(entries[0])
    with pytest.raises(InvalidLimits):
        LimitTable.from_json(json.dumps(entries))


def test_numbers_are_written_one_way() -> None:
    assert decimal_text(1.23456789e-7) == "0.000000123457"
    assert decimal_text(0.0) == "0"
