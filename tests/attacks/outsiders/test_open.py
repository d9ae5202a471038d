"""Ways that are still open: each test plays one and fails at what it gains, until the day on which it is closed.

It tells with `happened` that the attack took place, and says with `must_be` what is right. Only the last may fail.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.governor import description_of
from tests.attacks.outsiders.script import script
from tests.attacks.outsiders.served import key

MANY = 5


class StillOpen(AssertionError):
    """The attack has its gain."""


def still_open(reason: str) -> pytest.MarkDecorator:
    """Marks a way by its id and the rule that will close it: `F11: rule J22`."""
    return pytest.mark.xfail(strict=True, raises=StillOpen, reason=reason)


def must_be(found: object, right: object) -> None:
    """What should be so when the way is closed. Raises StillOpen."""
    if found != right:
        raise StillOpen(f"{found!r} should be {right!r}")


def happened(condition: object) -> None:
    """The attack was played as it is described. Raises RuntimeError, which no mark excuses."""
    if not condition:
        raise RuntimeError("the attack did not take place")


@pytest.mark.integration
@still_open("F11: rule J22")
def test_the_relayer_pays_for_proposals_without_end(tmp_path: Path) -> None:
    """F11: a holder of some units of 10^-18 of a token has each of its proposals brought to the chain."""
    with script(tmp_path, nodes=1, emission=1_000) as run:
        run.play()
        holder, chain = key(f"wallet of {run.nodes[0].address}"), run.service.model
        run.claim(1, holder.address)
        happened(chain.token.votes(holder.address) == 1_000)
        answers = []
        for number in range(MANY):
            text = description_of(f"wish {number}", holder.address)
            actions = chain.decision_actions(text, [("rounds", "9")])
            signature = "0x" + chain.governor.sign_proposal(holder, actions, text, 2**40).hex()
            body = {
                "proposer": holder.address, "description": text, "decisions": [("rounds", "9")], "deadline": 2**40,
                "signature": signature,
            }  # fmt: skip
            answers.append(run.client.post("/v1/proposals", json=body).status_code)
        must_be(sum(status < 400 for status in answers) < MANY, True)
