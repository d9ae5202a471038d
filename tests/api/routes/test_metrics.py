"""Numbers for a monitoring system."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contracts.chain.connection import connect
from ledger.books import log
from ledger.chain import ModelChain
from tests.between import answering
from tests.house import House

pytestmark = pytest.mark.integration


def numbers(house: House) -> dict[str, dict[str, float]]:
    """By name, and by label where there is one."""
    answer = house.client.get("/metrics")
    assert answer.status_code == 200
    return {
        family.name: {"".join(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


def test_balance_calls_and_log_are_counted(house: House) -> None:
    house.start()
    found, relayer = numbers(house), house.ledger.operator.address
    assert found["commonweight_relayer_balance_wei"] == {relayer: house.ledger.chain.w3.eth.get_balance(relayer)}
    assert found["commonweight_relayer_calls"][relayer] > 0
    with house.ledger.store.read() as session:
        assert found["commonweight_log_entries"] == {"": log.size(session)}
    assert found["commonweight_chain_up"] == {"": 1}


def test_without_a_chain_what_is_here_is_counted(house: House) -> None:
    with answering(502, b"") as url:
        chain = ModelChain(connect(url, patience=0.0), house.ledger.chain.deployment)
        house.app.state.ledger = replace(house.ledger, chain=chain)
        found = numbers(house)
    assert found["commonweight_chain_up"] == {"": 0}
    assert found["commonweight_log_entries"][""] > 0
    assert "commonweight_relayer_balance_wei" not in found
