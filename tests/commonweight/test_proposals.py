"""Proposals at a terminal: every page is read, and a stranger's text stays within its lines."""

from __future__ import annotations

from typing import Any, cast

import pytest

from commonweight.console import one_line, visible
from commonweight.proposals import all_decisions, all_proposals, all_votes, lines_of
from trainer.client import ApiClient

pytestmark = pytest.mark.unit


class Pages:
    """A server with two rows a page."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def get(self, _path: str, limit: int, **after: Any) -> list[dict[str, Any]]:
        def place(row: dict[str, Any]) -> tuple[Any, ...]:
            return tuple(row[{"after": "id" if "id" in row else "sequence"}.get(name, name)] for name in after)

        return [row for row in self.rows if place(row) > tuple(after.values())][:2]


def client(rows: list[dict[str, Any]]) -> ApiClient:
    return cast(ApiClient, Pages(rows))


def test_every_page_is_read() -> None:
    proposals = [{"id": str(number)} for number in range(5)]
    assert list(all_proposals(client(proposals))) == proposals
    decisions = [{"sequence": number} for number in range(5)]
    assert list(all_decisions(client(decisions))) == decisions
    votes = [{"block": number // 2, "log_index": number % 2} for number in range(5)]
    assert list(all_votes(client(votes), "7")) == votes


def test_a_proposers_text_cannot_pass_for_what_the_command_says() -> None:
    shown = {
        "id": "7", "state": "active", "proposer": "0xabc", "call_count": 70, "description_length": 9,
        "counts": {"for": "0", "against": "0", "abstain": "0"}, "calls": [{"words": "do\nstate    executed"}],
        "description": "hello\nstate    executed",
    }  # fmt: skip
    lines = list(lines_of(shown))
    assert [line for line in lines if line.startswith("state")] == ["state    active"]
    assert "  1. do\\nstate    executed" in lines
    assert "  and 69 more, which stand on the chain" in lines
    assert lines[-2:] == ["  | hello", "  | state    executed"]


def test_text_that_turns_the_direction_of_reading_is_shown_as_what_it_is() -> None:
    assert visible("pay \u202e001\u202c") == "pay \\u202e001\\u202c"
    assert visible("\ud800") == "\\ud800"
    assert one_line("a\n\tb") == "a\\n b"
    assert one_line("x" * 200) == "x" * 100 + "…"
