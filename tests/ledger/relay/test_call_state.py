"""The transitions of an outgoing call: which state has which, what each leaves, and that no other module makes one."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.wire.states import CallState
from ledger.errors import WrongCallState
from ledger.relay import call_state
from ledger.relay.call_state import Inclusion
from ledger.relay_rules import RelayRules
from ledger.storage.tables import Outgoing
from tests.foundry.forge import ROOT

pytestmark = pytest.mark.unit

NOW = 1_800_000_000
RULES = RelayRules(attempts=3, backoff_seconds=10)
BLOCK = Inclusion("0xbb", 8, "0xcc")

TRANSITIONS: dict[str, Callable[[Outgoing], None]] = {
    "mark_signed": lambda row: call_state.mark_signed(row, "0xabc", 6),
    "mark_attempt": lambda row: call_state.mark_attempt(row, "0xbb"),
    "mark_sent": lambda row: call_state.mark_sent(row, NOW, refused=True),
    "mark_mined": lambda row: call_state.mark_mined(row, BLOCK),
    "mark_reverted": lambda row: call_state.mark_reverted(row, BLOCK),
    "mark_unmined": lambda row: call_state.mark_unmined(row, "0xbb"),
    "mark_outrun": lambda row: call_state.mark_outrun(row, "outrun"),
    "mark_final": lambda row: call_state.mark_final(row, RULES, NOW),
    "mark_failed": lambda row: call_state.mark_failed(row, "reverted", RULES, NOW, is_last=False),
    "mark_refused": lambda row: call_state.mark_refused(row, "paused", RULES, NOW),
    "requeue": lambda row: call_state.requeue(row),
    "postpone": lambda row: call_state.postpone(row, "no money", NOW),
}
DRAWN = {
    "mark_signed": {"queued": "signed", "refused": "signed", "failed": "signed"},
    "mark_attempt": {"signed": "signed"},
    "mark_sent": {"signed": "signed"},
    "mark_mined": {"signed": "mined", "mined": "mined", "reverted": "mined"},
    "mark_reverted": {"signed": "reverted", "mined": "reverted", "reverted": "reverted"},
    "mark_unmined": {"mined": "signed", "reverted": "signed"},
    "mark_outrun": {"signed": "queued"},
    "mark_final": {"mined": "final"},
    "mark_failed": {"reverted": "failed"},
    "mark_refused": {"queued": "refused", "refused": "refused", "failed": "refused"},
    "requeue": {"refused": "queued", "failed": "queued", "dead": "queued"},
    "postpone": {str(state): str(state) for state in CallState},
}
"""Each transition, from which state to which: the diagram of ledger/relay/call_state.py."""


def a_call(state: CallState, tries: int = 0) -> Outgoing:
    row = Outgoing(id="claim:1", order=1, to="0x", data="0x", value=0, state=state, tries=tries, due=5, sent=6)
    row.signer, row.nonce, row.hash = "0xdef", 4, "0xaa"
    row.block, row.block_hash, row.error = 7, "0xdd", "before"
    return row


def left(row: Outgoing) -> tuple[object, ...]:
    """All columns that a transition may change, but the state."""
    return (row.tries, row.due, row.sent, row.signer, row.nonce, row.hash, row.block, row.block_hash, row.error)


def test_every_public_transition_is_drawn() -> None:
    own = {name for name, one in vars(call_state).items() if getattr(one, "__module__", "") == call_state.__name__}
    assert {name for name in own if name[0].islower() and name[0] != "_"} == set(TRANSITIONS) == set(DRAWN)
    drawn = str(call_state.__doc__)
    assert all(name in drawn for name in TRANSITIONS)
    assert all(state in drawn for state in CallState)


@pytest.mark.parametrize("state", CallState)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_transition_leads_where_it_is_drawn_or_nowhere(name: str, state: CallState) -> None:
    row = a_call(state)
    before = left(row)
    if state in DRAWN[name]:
        TRANSITIONS[name](row)
        assert row.state == DRAWN[name][state]
        return
    with pytest.raises(WrongCallState, match=f"claim:1 is {state}; this needs one that is "):
        TRANSITIONS[name](row)
    assert (row.state, left(row)) == (state, before)


@pytest.mark.parametrize(
    ("name", "state", "after"),
    [
        ("mark_signed", CallState.REFUSED, (1, 5, 6, "0xabc", 6, "0xaa", None, None, None)),
        ("mark_attempt", CallState.SIGNED, (1, 5, 0, "0xdef", 4, "0xbb", 7, "0xdd", "before")),
        ("mark_sent", CallState.SIGNED, (2, 5, NOW, "0xdef", 4, "0xaa", 7, "0xdd", "before")),
        ("mark_mined", CallState.SIGNED, (1, 5, 6, "0xdef", 4, "0xbb", 8, "0xcc", "before")),
        ("mark_reverted", CallState.SIGNED, (1, 5, 6, "0xdef", 4, "0xbb", 8, "0xcc", "before")),
        ("mark_unmined", CallState.MINED, (1, 5, 0, "0xdef", 4, "0xbb", None, None, "before")),
        ("mark_outrun", CallState.SIGNED, (1, 0, 6, "0xdef", None, None, 7, "0xdd", "outrun")),
        ("mark_final", CallState.MINED, (1, NOW + 10, 6, "0xdef", 4, "0xaa", 7, "0xdd", None)),
        ("mark_failed", CallState.REVERTED, (2, NOW + 20, 6, "0xdef", 4, "0xaa", 7, "0xdd", "reverted")),
        ("mark_refused", CallState.FAILED, (2, NOW + 20, 6, "0xdef", None, None, 7, "0xdd", "paused")),
        ("requeue", CallState.DEAD, (0, 0, 6, "0xdef", None, None, None, None, "before")),
        ("postpone", CallState.SIGNED, (1, NOW, 6, "0xdef", 4, "0xaa", 7, "0xdd", "no money")),
    ],
)
def test_a_transition_writes_its_columns_and_no_others(name: str, state: CallState, after: tuple[object, ...]) -> None:
    row = a_call(state, tries=1)
    TRANSITIONS[name](row)
    assert left(row) == after


@pytest.mark.parametrize(("name", "state"), [("mark_failed", CallState.REVERTED), ("mark_refused", CallState.QUEUED)])
def test_the_last_try_that_fails_leaves_it_dead(name: str, state: CallState) -> None:
    row = a_call(state, tries=RULES.attempts - 1)
    TRANSITIONS[name](row)
    assert (row.state, row.tries) == (CallState.DEAD, RULES.attempts)


def test_a_failure_said_to_be_the_last_leaves_it_dead() -> None:
    row = a_call(CallState.REVERTED)
    call_state.mark_failed(row, "reverted", RULES, NOW, is_last=True)
    assert (row.state, row.tries, row.due) == (CallState.DEAD, 1, NOW + 10)


def test_sets_of_states_part_the_states_as_named() -> None:
    assert set(call_state.NOT_FINAL) == set(CallState) - {CallState.FINAL}
    assert set(call_state.ALIVE) == set(CallState) - {CallState.FINAL, CallState.DEAD}
    assert set(call_state.TO_SIGN) == set(DRAWN["mark_signed"])
    assert set(call_state.WATCHED) == set(DRAWN["mark_mined"])
    assert set(call_state.TO_RETRY) == set(DRAWN["requeue"])


# ---- no other module makes a transition, or names a state by a bare string

COLUMNS = {"state", "tries", "due", "sent", "signer", "nonce", "block_hash"}
"""Of an Outgoing, written by transitions alone; other rows of these modules have none of that name."""


def bypasses(source: str) -> list[str]:
    """Bare state literals and writes of a call's columns in a module, as `line: what`."""
    tree, found = ast.parse(source), []
    enums = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {id(inner) for enum in enums for inner in ast.walk(enum)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in set(CallState) and id(node) not in own:
            found.append(f"{node.lineno}: {node.value!r}")
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in COLUMNS:
            found.append(f"{node.lineno}: .{node.attr}")
    return found


def about_calls() -> list[Path]:
    """Product modules that handle calls: the relayer's, and those that name their table, states or answers."""
    paths = [path for part in ("api", "commonweight", "ledger") for path in (ROOT / part).rglob("*.py")]
    named = [path for path in paths if "Outgoing" in path.read_text() or "CallState" in path.read_text()]
    own = {ROOT / "ledger/relay/call_state.py", ROOT / "ledger/storage/tables/chain.py"}
    return sorted({*named, *(ROOT / "ledger/relay").glob("*.py")} - own)


@pytest.mark.parametrize("path", about_calls(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_other_module_makes_a_transition(path: Path) -> None:
    assert bypasses(path.read_text()) == []


@pytest.mark.parametrize(
    "line", ['row.state = "dead"', "row.nonce = None", 'x = row.state == "queued"', "row.tries += 1"]
)
def test_a_bypass_is_found(line: str) -> None:
    assert bypasses(line) != []
