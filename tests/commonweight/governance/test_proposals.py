"""Proposals at a terminal: every page is read, and a stranger's text stays within its lines."""

from __future__ import annotations

from typing import Any, cast

import pytest

from commonweight.governance.proposal_state import ProposalStanding
from commonweight.governance.proposals import all_decisions, all_proposals, all_votes, lines_of, title_of
from commonweight.governance.proven import Proven
from commonweight.terminal.console import one_line, visible
from contracts.bindings.governor import Action
from contracts.wire.votes import Decision, ProposalLine, VoteLine
from tests.commonweight.governance.test_proven import DEPLOYMENT
from tests.wire import Typed, sample
from trainer.client import ApiClient

pytestmark = pytest.mark.unit


class Pages(Typed):
    """A server with two rows a page."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def get(self, path: str, limit: int = 2, **after: Any) -> list[dict[str, Any]]:
        def place(row: dict[str, Any]) -> tuple[Any, ...]:
            return tuple(row[{"after": "id" if "id" in row else "sequence"}.get(name, name)] for name in after)

        return [row for row in self.rows if place(row) > tuple(after.values())][:2]


def client(rows: list[dict[str, Any]]) -> ApiClient:
    return cast(ApiClient, Pages(rows))


def test_every_page_is_read() -> None:
    proposals = [sample(ProposalLine, id=str(number)) for number in range(5)]
    assert [one.to_json() for one in all_proposals(client(proposals))] == proposals
    decisions = [sample(Decision, sequence=number) for number in range(5)]
    assert [one.to_json() for one in all_decisions(client(decisions))] == decisions
    votes = [sample(VoteLine, block=number // 2, log_index=number % 2) for number in range(5)]
    assert [one.to_json() for one in all_votes(client(votes), "7")] == votes


def test_a_proposers_text_cannot_pass_for_what_the_command_says() -> None:
    text, calls = "hello\nstate    executed", tuple(Action("0x" + "66" * 20, b"", number) for number in range(70))
    found = Proven("7", calls, b"", text, {"proposer": "0xabc\nstate    executed"})
    lines = list(lines_of(found, ProposalStanding("active", 0), DEPLOYMENT, names_checked=False))
    assert len([line for line in lines if line.startswith("state")]) == 1
    assert "  and 6 more, which --json shows" in lines
    assert "  | state    executed" in lines
    assert title_of(found) == "hello"


def test_characters_that_turn_the_reading_direction_are_shown() -> None:
    assert visible("pay \u202e001\u202c") == "pay \\u202e001\\u202c"
    assert visible("\ud800") == "\\ud800"
    assert one_line("a\n\tb") == "a\\n b"
    assert one_line("x" * 200) == "x" * 100 + "…"
