"""What is told of a call before its vote is never that it would be refused, where it passes."""

from __future__ import annotations

import pytest

from contracts.bindings.governor import Action
from contracts.calls.effects import ONLY_GOVERNANCE, preview, verdict
from contracts.chain.connection import contract_at
from tests.contracts.bindings.deployed_model import DeployedModel

pytestmark = pytest.mark.integration


def test_a_call_that_only_a_proposal_makes_has_no_preview() -> None:
    """Before: "refused now: Panic (panic=49)", of calls that pass."""
    model = DeployedModel.fresh()
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    governor = contract_at(model.w3, "ModelGovernor", model.deployment.governor).functions
    for call in (governor.setVotingPeriod(15), governor.setVotingDelay(2)):
        found = preview(model.w3, model.deployment, Action.of(call))
        assert (found.refused, found.untold) == ("", ONLY_GOVERNANCE)
        assert verdict(found, alone=True).startswith("cannot be told now: ")
        model.carry(Action.of(call), call.fn_name)  # passes


def test_what_is_refused_and_what_passes_is_told_by_itself() -> None:
    model = DeployedModel.fresh()
    least = Action.of(model.registry.set_max_epoch_total(5))
    found = preview(model.w3, model.deployment, least)
    assert (found.refused, found.untold) == ("", "")
    assert verdict(found, alone=True) == "would go through now"
    found = preview(model.w3, model.deployment, Action.of(model.token.set_budget(model.rival.address, 2**255)))
    assert found.refused
    assert verdict(found, alone=False).startswith("refused now, by itself: the calls before it may change that: ")
    odd = Action(model.rival.address, b"", 10**30)
    assert preview(model.w3, model.deployment, odd).refused
