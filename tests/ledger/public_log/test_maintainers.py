"""A receipt of code shows who the maintainers were: by the round's configuration, and by what holders decided since."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.ids import as_address
from contracts.messages.for_log import Contribution
from contracts.messages.signatures import sign
from contracts.protocol.log.leaf import Entry, read
from contracts.protocol.log.signed import Envelope
from ledger.epochs.receipts import receipt_of
from tests.deployed import key_of
from tests.house import House
from verifier.receipt.work import ReceiptReader

pytestmark = pytest.mark.integration
AUTHOR, MAINTAINER = key_of("author").address, key_of("mia")


def entries_of(house: House, epoch: int) -> dict[int, Entry]:
    indices = receipt_of(house.ledger, epoch, AUTHOR).entries
    return {index: read(house.run.leaves[index], house.ledger.chain.domain, as_address) for index in indices}


def test_a_vote_between_a_rounds_opening_and_the_credit_is_shown(tmp_path: Path) -> None:
    """Round 2 had opened without maintainers when holders named one; what she vouches for then is credited."""
    with House(tmp_path / "house") as house:
        house.become_holders()
        decide = house.ledger.chain.models.decide
        named = decide(house.ledger.chain.model, b"\1" * 32, "maintainers", f"1:{MAINTAINER.address}")
        house.enact(house.wallets[0], named)
        house.step(3)
        run = house.run
        message = Contribution(run.run, 1, "https://example.org/model.git", "ab" * 20, "MIT", AUTHOR, 5)
        run.add(Envelope(message, (sign(message, house.ledger.chain.domain, bytes(MAINTAINER.key)),), {}))
        house.play_round()
        found = entries_of(house, 2)
        kinds = [json.loads(run.leaves[index])["kind"] for index in sorted(found)]
        assert kinds == ["round-opened", "block", "decision-taken", "contribution", "epoch-closed"]
        closing = max(found)
        work = ReceiptReader(AUTHOR, found[closing])  # type: ignore[arg-type]
        (line,) = work.check(found, closing)
        assert line.endswith(f"{MAINTAINER.address}: maintainers by entry {sorted(found)[2]}, of whom it takes 1")
        assert work.unchecked == []
