"""What is shown and signed under a proposal's id is what the id names; all else is told as somebody's word.

Before, a server showed other calls and another text under the id of a real proposal, and voters signed the id.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from commonweight.governance import proposal_reader
from commonweight.governance.ballots import GovernanceClient
from commonweight.governance.proposal_state import (
    OVER,
    ProposalStanding,
    by_server,
    next_command,
    sentence,
    turns,
    when,
)
from commonweight.governance.proven import ProposalDiffers, proven
from contracts.bindings.governor import Action, proposal_id_of
from contracts.chain.deployment import Deployment
from contracts.ids import as_address
from contracts.wire.states import ProposalPhase
from contracts.wire.votes import ProposalLine
from tests.commonweight.conftest import Command
from tests.wire import Typed, sample

pytestmark = pytest.mark.unit
NAMES = ("token", "timelock", "governor", "verifier_registry", "distributor", "splitter", "model_registry")
PLACES: dict[str, Any] = {name: "0x" + f"{number:02x}" * 20 for number, name in enumerate(NAMES, 0x21)}
DEPLOYMENT = Deployment(31337, 1, "m", "0x" + "aa" * 32, as_address("0x" + "bb" * 20), **PLACES)
EVIL = [Action("0x" + "21" * 20, bytes.fromhex("4b5179a0") + b"\1" * 64), Action("0x" + "66" * 20, b"", 5)]
TEXT = "Take all.\nReally."
EVIL_ID = str(proposal_id_of(EVIL, keccak(text=TEXT)))


def document(calls: list[Action], text: str, **other: Any) -> dict[str, Any]:
    """What a server says of a proposal."""
    shown = [{"target": c.target, "value": str(c.value), "data": "0x" + c.data.hex(), "words": "thanks"} for c in calls]
    return {
        "id": EVIL_ID,
        "proposer": "0xabc",
        "description": text,
        "description_hash": "0x" + keccak(text=text).hex(),
        "calls": shown,
        "state": "active",
        "counts": {"for": "5", "against": "0", "abstain": "0"},
        "over": False,
        "snapshot": 100,
        "deadline": 20_000,
        "eta": None,
        "now": 8_000,
        "quorum": "10",
        "grace": 604_800,
        "extension": 3_600,
        **other,
    }


class Server(Typed):
    """It shows what it was given, under whatever id it is asked for."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said, self.posted = said, list[str]()
        self.others: Any = []
        self.deployment = DEPLOYMENT

    def __call__(self, *_: Any) -> Server:
        return self

    def get(self, path: str, **query: Any) -> Any:
        if path == "/proposals":
            return [] if query["after"] else [sample(ProposalLine, id=EVIL_ID, over=False)]
        return self.others if path.endswith(("/votes", "/tally")) else self.said

    def post(self, path: str, body: Any) -> None:
        self.posted.append(path)


HONEST = document(EVIL, TEXT)
LIES: dict[str, dict[str, Any]] = {
    "another call": document([Action("0x" + "21" * 20, b"1234")], TEXT),
    "a call less": document(EVIL[:1], TEXT),
    "another order": document(EVIL[::-1], TEXT),
    "another payment": document([EVIL[0], Action("0x" + "66" * 20, b"", 6)], TEXT),
    "another text with its hash": document(EVIL, "thank you"),
    "words in place of bytes": {**HONEST, "calls": [{"words": "decision 0x11: clip = 1.0 for the model's runs"}]},
    "no calls at all": {name: value for name, value in HONEST.items() if name != "calls"},
    "a number that is none": {**HONEST, "calls": [{**HONEST["calls"][0], "value": "-1"}]},
    "a target that is none": {**HONEST, "calls": [{**HONEST["calls"][0], "target": "0x21"}]},
    "a hash that is longer": {**HONEST, "description_hash": "0x" + "99" * 33},
    "nothing": {},
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("command", ["show", "list", "votes", "tally"])
def test_what_differs_from_its_id_is_not_shown(
    commonweight: Command, monkeypatch: pytest.MonkeyPatch, command: str, lie: str
) -> None:
    monkeypatch.setattr("trainer.client.ApiClient", Server(LIES[lie]))
    monkeypatch.setattr(proposal_reader, "ApiClient", Server(LIES[lie]))
    said = commonweight("gov", command, *([] if command == "list" else [EVIL_ID]))
    assert (said.status, "clip" in said.out) == (1, False)
    assert said.err.startswith("proposal-differs: "), said.err


@pytest.mark.parametrize("lie", LIES)
def test_nothing_is_signed_on_what_differs_from_its_id(lie: str) -> None:
    server, client = Server(LIES[lie]), object.__new__(GovernanceClient)
    client.client = server  # type: ignore[assignment]
    with pytest.raises(ProposalDiffers):
        client.vote(Account.create(), client.asked(EVIL_ID), 1)
    assert server.posted == []


def test_words_are_made_here_of_what_the_id_names(commonweight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own words for the calls are read by nobody."""
    monkeypatch.setattr(proposal_reader, "ApiClient", Server(HONEST))
    said = commonweight("gov", "show", EVIL_ID)
    assert (said.status, said.err) == (0, "")
    assert "thanks" not in said.out
    assert f"proposal {EVIL_ID}\n" in said.out
    assert "  2. send 0.000000000000000005 coins to 0x" in said.out
    assert "  | Really." in said.out
    assert "by the server's word alone (--rpc-url asks the Governor): Voting ends in 3 h 20 min, at 1970-" in said.out
    assert "the names of the contracts are the server's word" in said.out
    shown = json.loads(commonweight("gov", "list", "--json").out)
    assert (shown["id"], shown["word"], shown["description"]) == (EVIL_ID, "server", TEXT)


@pytest.mark.parametrize("said_of", [{"state": "fine"}, {"now": float("inf")}, {"eta": 1e999}], ids=str)
@pytest.mark.parametrize("command", ["tally", "votes", "show"])
def test_what_else_a_server_says_may_be_anything(
    commonweight: Command, monkeypatch: pytest.MonkeyPatch, command: str, said_of: dict[str, Any]
) -> None:
    odd = Server({**HONEST, **said_of})
    odd.others = {"votes": 3, "api": "much"} if command == "tally" else [{"support": 17, "block": 1, "log_index": 1}]
    monkeypatch.setattr("trainer.client.ApiClient", odd)
    monkeypatch.setattr(proposal_reader, "ApiClient", odd)
    said = commonweight("gov", command, EVIL_ID)
    assert said.status == 1
    assert said.err.startswith("proposal-differs: the server's "), said.err


def test_a_text_that_the_id_does_not_name_is_not_shown(commonweight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """No refusal: else a proposer whose bytes read in two ways could keep everybody from voting against it."""
    monkeypatch.setattr(proposal_reader, "ApiClient", Server({**HONEST, "description": "thank you"}))
    said = commonweight("gov", "show", EVIL_ID)
    assert said.status == 0
    assert "thank you" not in said.out
    assert "not shown" in said.out
    raw = b"\xff\x00 hi"
    other = str(proposal_id_of(EVIL, keccak(raw)))
    told = {**HONEST, "description": "\\xff\\x00 hi", "description_hash": "0x" + keccak(raw).hex()}
    assert proven(told, other).text == "\\xff\\x00 hi"


def at(state: str, **numbers: Any) -> ProposalStanding:
    return ProposalStanding(state=state, now=8_000, **{"in_favour": 5, "quorum": 10, "deadline": 20_000, **numbers})


ENDS = ("is cancelled", "is defeated", "but expired", "was executed")


def test_every_state_has_a_sentence_and_a_next_command(commonweight: Command) -> None:
    for state in ProposalPhase:
        told, command = sentence(at(state)), next_command(at(state), "77")
        assert told.endswith("."), state
        assert "not know" not in told, state
        assert any(end in told for end in ENDS) == (state in OVER), state
        words = command.split()
        assert words[:2] == ["commonweight", "gov"], state
        assert commonweight(*words[1:3], "--help").status == 0, command
        assert "77" in words or state in OVER, "an id can be pasted as it stands"
    assert "does not know" in sentence(at("odd"))


def test_what_may_still_turn_a_vote_is_told() -> None:
    lines = " ".join(turns(at("active", in_favour=5 * 10**18, quorum=12 * 10**18, extension=3_600)))
    assert "The quorum of 12 votes needs 7 votes more, for or abstaining." in lines
    assert "stays open for 1 h 0 min more" in lines
    lines = " ".join(turns(at("queued", eta=9_000, grace=604_800, objections=2 * 10**18, in_favour=3 * 10**18)))
    assert "objections of more than 3 votes cancel it. So far 2 votes objected." in lines
    assert "The timelock delays its execution until 1970-01-01 02:30:00 UTC." in lines
    assert "The proposal expires in 7 d 0 h, at 1970-01-08 02:30:00 UTC, unless it is executed before." in lines
    assert list(turns(at("executed"))) == []
    assert "are less than the quorum" in sentence(at("defeated"))
    assert "no majority" in sentence(at("defeated", in_favour=10, against=10))
    assert "minting was paused" in sentence(at("defeated", in_favour=10, against=9))
    lines = " ".join(turns(at("queued", in_favour=2 * 10**18, abstain=9 * 10**18, quorum=8 * 10**18)))
    assert "objections of more than 8 votes cancel it" in lines


def test_times_are_told_as_people_read_them() -> None:
    assert when(1_795_975_200, 1_795_963_200) == "in 3 h 20 min, at 2026-11-29 18:00:00 UTC"
    assert when(100, 160) == "1 min 0 s ago, at 1970-01-01 00:01:40 UTC"
    assert when(2**200, 0).endswith(f"at second {2**200}")
    assert by_server(HONEST).quorum == 10


def test_a_watch_tells_what_changed_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(HONEST)
    monkeypatch.setattr(proposal_reader, "ApiClient", server)
    rest = iter([HONEST, document(EVIL, TEXT, counts={"for": "9", "against": "0", "abstain": "0"})])

    def sleep(_: float) -> None:
        server.said = next(rest, document(EVIL, TEXT, state="executed"))

    seen = [standing for _, standing in proposal_reader.ProposalReader("").watch(EVIL_ID, sleep)]
    assert [(one.state, one.in_favour) for one in seen] == [("active", 5), ("active", 9), ("executed", 5)]
