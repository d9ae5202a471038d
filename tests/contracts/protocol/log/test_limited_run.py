"""A run with limits brings its table with its terms: who can judge whom follows from it (J1, counts)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from contracts.errors import BadField, CommonweightError
from contracts.ids import as_address, to_hex
from contracts.messages.signatures import sign
from contracts.protocol.judge.facts import RunCreated
from contracts.protocol.limits import METRICS, InvalidLimits, LimitTable, PairLimits, pair_key
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.leaf import read, write
from contracts.protocol.log.signed import Envelope
from contracts.protocol.run_config import RunConfig
from tests.contracts.protocol.log.test_leaf import CONFIG, DOMAIN, TERMS
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit
CREATOR = Account.from_key(b"\1" * 32)
CPU, GPU, OTHER = b"\3" * 32, b"\4" * 32, b"\5" * 32


def pair(one: bytes, other: bytes, cheat: str = "100") -> PairLimits:
    limit, honest = dict.fromkeys(METRICS, "0.1"), dict.fromkeys(METRICS, ("0.01", "0.01", "0.01"))
    return PairLimits(pair_key(one, other), 1, 2, honest, limit, {"skip": cheat})


TABLE = LimitTable((pair(CPU, GPU), pair(CPU, OTHER, "9.99")))
BOUNDED = replace(CONFIG, profile="bounded", limits_digest=TABLE.digest().hex())


def created(config: RunConfig, **beside: object) -> RunCreated:
    """The run as every copy of the log reads it."""
    terms = replace(TERMS, config=config.digest(), profiles=(CPU, GPU))
    envelope = Envelope(terms, (sign(terms, DOMAIN, bytes(CREATOR.key)),), {"config": config.to_json(), **beside})
    found = read(write(envelope), DOMAIN, as_address)
    assert isinstance(found, RunCreated)
    return found


@holds(
    "The log determines which profiles can judge each other in a bounded run",
    by="contracts/protocol/log/signed.py:fact_of",
    against=Threat.UNLIKE_MACHINES,
)
def test_pairs_are_those_whose_limits_separate_cheats_from_work() -> None:
    """Either may be the node; a pair whose limits are as wide as a cheat judges nobody."""
    one, other = to_hex(CPU), to_hex(GPU)
    found = created(BOUNDED, limits=TABLE.to_json())
    assert found.terms.pairs == frozenset({(one, one), (other, other), (one, other), (other, one)})
    assert (found.terms.exact, found.limits) == (False, TABLE.to_json())


def test_an_exact_run_has_no_pairs() -> None:
    found = created(CONFIG)
    assert (found.terms.pairs, found.terms.exact, found.limits) == (None, True, "")


@pytest.mark.parametrize(
    ("config", "beside", "error"),
    [
        (BOUNDED, {}, InvalidLimits),
        (BOUNDED, {"limits": ""}, InvalidLimits),
        (BOUNDED, {"limits": "[]"}, BadField),
        (BOUNDED, {"limits": LimitTable((pair(CPU, GPU, "11"),)).to_json()}, BadField),
        (BOUNDED, {"limits": TABLE.to_json().replace(",", ", ", 1)}, BadField),
        (BOUNDED, {"limits": 7}, InvalidLeaf),
        (BOUNDED, {"limits": TABLE.to_json(), "more": ""}, InvalidLeaf),
        (CONFIG, {"limits": TABLE.to_json()}, BadField),
        (CONFIG, {"limits": "[" * 50_000}, BadField),
        (BOUNDED, {"limits": "[" * 50_000}, InvalidLimits),
    ],
)
def test_another_table_than_the_runs_is_refused(
    config: RunConfig, beside: dict[str, object], error: type[CommonweightError]
) -> None:
    with pytest.raises(error):
        created(config, **beside)
