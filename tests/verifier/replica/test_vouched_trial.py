"""A question about an invoice leaves no trace in a verifier's state, whoever asks (ADR 61)."""

from __future__ import annotations

import pytest

from contracts.protocol.judge.errors import AlreadySaid
from contracts.protocol.judge.snapshot import dump
from tests.contracts.protocol.judge.rented import RENTERS, Rented
from verifier.replica.trial import check_entry

pytestmark = pytest.mark.unit


def test_asking_for_an_invoice_uses_up_no_hour() -> None:
    """The first of a model, and a later one: a stranger's unsigned copy would keep the renter's own out, and the
    verifier would call the true log false."""
    town = Rented()
    hours = [town.work(), town.work()]
    for node, hour in ((RENTERS[0], hours[0]), (RENTERS[0], hours[1]), (RENTERS[1], hours[0])):
        before = dump(town.state)
        check_entry(town.state, town.invoice(node, hour))
        check_entry(town.state, town.invoice(node, hour))
        assert dump(town.state) == before
        town.hand(node, hour)
        with pytest.raises(AlreadySaid):
            check_entry(town.state, town.invoice(node, hour))
    town.audit()
