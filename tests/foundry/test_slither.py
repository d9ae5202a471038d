"""The answers to Slither are about functions that exist: Slither itself is run by `make slither`."""

from __future__ import annotations

import re

import pytest

from tests.foundry.forge import CONTRACTS
from tests.foundry.slither import ANSWERS, ROW, answered

pytestmark = pytest.mark.unit


def test_every_row_of_the_table_is_read() -> None:
    rows = [line for line in ANSWERS.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(ROW.findall(ANSWERS.read_text())) > 10


def test_every_answer_names_a_function_that_is_there() -> None:
    for detector, place in answered():
        contract, function = place.split(".")
        source = (CONTRACTS / "solidity" / f"{contract}.sol").read_text()
        assert re.search(rf"\b(function {function}|{function})\(", source), (detector, place)
