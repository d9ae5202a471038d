"""What an operator leaves out is shown where a chain node is asked: who votes on what nobody else sees decides alone.

Before, `gov list` and `gov show` knew what the server named, also with a chain node: what few had voted for was
executed without a holder who could have objected.
"""

from __future__ import annotations

from typing import Any

import pytest

from commonweight.governance import proposal_reader
from commonweight.governance.proposal_reader import ProposalReader
from commonweight.governance.proposals import HIDDEN, list_lines
from contracts.bindings.governor import Action, ProposalState
from contracts.errors import BadField, CommonweightError
from contracts.wire.votes import ProposalLine
from tests.contracts.bindings.deployed_model import DeployedModel
from tests.wire import Typed, sample
from trainer.client import ApiProblem, ApiUnreachable

pytestmark = pytest.mark.integration


NOT_FOUND = ApiProblem(404, "not-found", "no proposal of this id")
OTHER = {"calls": [], "description_hash": "0x" + "11" * 32, "description": "another"}


class Operator(Typed):
    """A server that shows what it likes of the proposals."""

    def __init__(self, model: DeployedModel, rows: list[dict[str, Any]]) -> None:
        self.rows, self.deployment = rows, model.deployment

    lie: Any = NOT_FOUND
    """What it says of each proposal."""

    def get(self, path: str, **query: Any) -> Any:
        if path != "/proposals":
            if isinstance(self.lie, Exception):
                raise self.lie
            return self.lie
        return [row for row in self.rows if row["id"] > query["after"]]


@pytest.fixture
def model() -> DeployedModel:
    made = DeployedModel.fresh()
    payouts = made.finalized(1)
    made.send(made.claim(payouts, 1))
    made.wait(2)
    return made


def reader(
    model: DeployedModel, patch: pytest.MonkeyPatch, *rows: dict[str, Any], chain: bool = True
) -> ProposalReader:
    patch.setattr(proposal_reader, "ApiClient", lambda _url: Operator(model, list(rows)))
    patch.setattr(proposal_reader, "connect", lambda _url: model.w3)
    patch.setattr(proposal_reader, "checked", lambda _w3, deployment: deployment)
    return ProposalReader("http://server", "http://chain" if chain else "")


def proposed(model: DeployedModel, text: str) -> str:
    """Somebody proposes to mint as much as there may be."""
    actions = [Action.of(model.token.set_budget(model.rival.address, 10**24))]
    model.send(model.governor.propose(actions, text))
    return str(model.governor.proposal_id(actions, text))


@pytest.mark.parametrize("said", ["nothing", "that it is over"])
def test_what_a_server_leaves_out_is_listed(model: DeployedModel, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    name = proposed(model, "for me")
    model.wait(2)
    rows = [] if said == "nothing" else [sample(ProposalLine, id=name, over=True)]
    ((found, at),) = reader(model, monkeypatch, *rows).all(open_only=True)
    assert (found.id, found.text, at.state) == (name, "for me", "active")
    assert [action.target for action in found.actions] == [model.deployment.token]
    assert HIDDEN in "\n".join(list_lines(found, at))
    assert found.digest == model.w3.keccak(text="for me")  # objections need it


@pytest.mark.parametrize("lie", [OTHER, {}, ApiUnreachable("no answer"), ApiProblem(500, "broken", "sorry")])
def test_no_answer_of_a_server_keeps_a_proposal_hidden(
    model: DeployedModel, monkeypatch: pytest.MonkeyPatch, lie: Any
) -> None:
    """Before, one row with other calls, or of an id that the Governor does not have, ended the list before what was
    hidden, and `gov show` with it."""
    monkeypatch.setattr(Operator, "lie", lie)
    name = proposed(model, "for me")
    model.wait(2)
    asked = reader(
        model, monkeypatch, sample(ProposalLine, id="1", over=False), sample(ProposalLine, id=name, over=False)
    )
    listed = asked.all(open_only=True)
    assert next(listed)[0].id == name
    with pytest.raises(CommonweightError):  # what the server names beside is told behind it
        next(listed)
    found, at = asked.read(name)
    assert (found.text, found.of_chain, at.state) == ("for me", True, "active")


def test_what_is_over_is_the_governors_word(model: DeployedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    name = proposed(model, "nobody votes")
    model.wait(60)
    assert model.governor.state(int(name)) is ProposalState.DEFEATED
    asked = reader(model, monkeypatch, sample(ProposalLine, id=name, over=False))
    assert list(asked.all(open_only=True)) == []
    assert [found.id for found, _ in asked.all(open_only=False)] == [name]


def test_what_nobody_has_is_no_proposal(model: DeployedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadField, match="the governor logged no 7"):
        reader(model, monkeypatch).read("7")
    with pytest.raises(ApiProblem):
        reader(model, monkeypatch, chain=False).read("7")
