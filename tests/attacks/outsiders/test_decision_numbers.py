"""What holders write as a number may hang nobody: spelling and length are checked before a number is read."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from contracts.bindings.governor import description_of
from contracts.errors import CommonweightError
from contracts.ids import RunId
from contracts.messages.for_log import RunTerms
from contracts.protocol.chain.reading import ChainReader
from contracts.protocol.judge.chain_events import Decided
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.state import State
from contracts.protocol.limits import InvalidLimits, LimitTable
from contracts.protocol.run_config import VOTABLE_KEYS, InvalidRunConfig, RunConfig
from tests.attacks.outsiders.script import Script, script
from tests.attacks.outsiders.served import key
from tests.holds import Threat, holds
from verifier.replica.chain import OwnChain
from verifier.replica.errors import LogFailed
from verifier.replica.replica import Replica

LEAST_MEMORY = 2**20
ENDLESS = "9" * 5_000
ODD = (
    "",
    " 1",
    "1 ",
    "1\n",
    "+1",
    "-1",
    "-0",
    "1_0",
    "0x1",
    "1e3",
    "1E3",
    "0e-99999999",
    "0e-999999999999999999",
    "1e999999",
    "1e-999999",
    "Infinity",
    "-inf",
    "NaN",
    "sNaN",
    "\u0661",
    "\uff11",
    "0.\u0661",
    "1,5",
    ".5",
    "5.",
    ENDLESS,
    "0." + ENDLESS,
    "0" * 5_000 + "1",
)
MAY_BE_EMPTY = ("maintainers", "mixture", "corpus_url", "corpus_mirrors", "weights_url")
ODD_IN_JSON = ("1e999999", "-" + ENDLESS, ENDLESS, "[" * 9_000, "0." + ENDLESS, "Infinity", "NaN", '"0e-99999999"')
ON_CHAIN = (
    ("rounds", ENDLESS),
    ("weight_decay", "0e-999999999999999999"),
    ("outer_lr", "1e999999"),
    ("clip", "Infinity"),
    ("inner_lr", "0.\u0661"),
    ("compute_weight", "1_0"),
    ("maintainers", f"1:{'0x' + '00' * 20}" * 100),
)


@contextmanager
def narrow() -> Iterator[None]:
    """What is done within takes less than a megabyte at any time."""
    tracemalloc.start()
    try:
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < LEAST_MEMORY


@holds(
    "A number in a decision is checked for its size before it is parsed",
    by="contracts/protocol/run_config.py:RunConfig.with_decision",
    against=Threat.TAKEOVER,
)
@pytest.mark.unit
@pytest.mark.parametrize("key", VOTABLE_KEYS)
def test_an_odd_number_in_a_decision_is_refused(key: str) -> None:
    """F2: spelling and length come before the number."""
    for value in ODD[1:] if key in MAY_BE_EMPTY else ODD:
        with narrow(), pytest.raises(InvalidRunConfig) as refused:
            RunConfig().with_decision(key, value)
        assert len(refused.value.detail) < 200


@pytest.mark.unit
@pytest.mark.parametrize("text", ODD_IN_JSON)
def test_an_odd_number_in_a_configuration_is_refused(text: str) -> None:
    """F2: in a creator's own text, too."""
    for name in ("layers", "beta1"):
        values = {**json.loads(RunConfig().to_json()), name: "here"}
        with narrow(), pytest.raises(InvalidRunConfig):
            RunConfig.from_json(json.dumps(values).replace('"here"', text))


@pytest.mark.unit
def test_a_configuration_is_measured_before_it_is_read() -> None:
    """F2: its length comes first."""
    text = '{"layers": [' + "1," * 100_000 + "1]}"
    with narrow(), pytest.raises(InvalidRunConfig, match="at most 10000 characters"):
        RunConfig.from_json(text)


@pytest.mark.unit
@pytest.mark.parametrize("size", ["1e999999", "Infinity", "0e-99999999", "-1", "1_0", 1])
def test_an_odd_size_in_a_table_of_limits_is_refused(size: object) -> None:
    """F2: nor in a table that a run names."""
    names = ("update", "update_tensor", "moment1", "moment1_tensor", "moment2", "moment2_tensor", "slope")
    pair = {
        "profiles": ["00" * 32] * 2,
        "segments": 1,
        "steps": 1,
        "honest": {name: ["0"] * 3 for name in names},
        "limit": dict.fromkeys(names, "0.5"),
        "cheats": {},
    }
    assert LimitTable.from_json(json.dumps([pair])).pairs
    with pytest.raises(InvalidLimits):
        LimitTable.from_json(json.dumps([{**pair, "limit": dict.fromkeys(names, size)}]))


@pytest.fixture
def decided(tmp_path: Path) -> Iterator[tuple[Script, LocalAccount]]:
    """A run whose first round is paid; its node's wallet holds all tokens that there are."""
    with script(tmp_path, nodes=1, rounds=2) as run:
        run.play()
        holder = key(f"wallet of {run.nodes[0].address}")
        run.service.gift(holder)
        run.claim(1, holder.address)
        yield run, holder


def own_chain(run: Script, folder: Path) -> Replica:
    """A verifier's machine over the operator's log, which compares every block with its own chain."""
    w3, service = run.service.model.w3, run.service
    chain = OwnChain(ChainReader(w3, service.deployment), lambda: int(w3.eth.get_block("latest")["timestamp"]))
    return Replica(service.ledger.judge.functions, service.domain, chain, folder / "failed.json", run.view)


@pytest.mark.integration
def test_a_run_goes_on_after_odd_decisions(decided: tuple[Script, LocalAccount]) -> None:
    """F2: Decided on the chain itself: each becomes a refusal, the run takes the good one and the audit passes."""
    run, holder = decided
    run.service.enact(holder, *ON_CHAIN, ("beta1", "0"), ("clip", "2"))
    run.block()
    outcomes = [json.loads(leaf)["applied"] for leaf in run.leaves if '"kind":"decision-taken"' in leaf]
    assert outcomes == [False] * (len(ON_CHAIN) + 1) + [True]
    assert RunConfig.from_json(run.state.runs[RunId("0x" + run.run.hex())].config).clip == "2"
    run.play()
    assert run.paid(run.nodes[0]) == 2 * 10**21


@pytest.mark.integration
@pytest.mark.parametrize("what", ["passed over", "invented", "of the past"])
def test_a_decision_that_is_not_the_holders_is_found(
    decided: tuple[Script, LocalAccount], what: str, tmp_path: Path
) -> None:
    """F5: what the operator passes over, makes up or repeats is not what a verifier's own chain says of that block."""
    run, holder = decided
    replica = own_chain(run, tmp_path)
    replica.admit(run.view.size)
    reader, changed = run.service.ledger.reader, {"passed over": (), "invented": (("clip", "9"),)}
    assert reader is not None
    run.service.enact(holder, ("clip", "2"))
    block = reader.block

    def other(state: State, number: int) -> Block:
        found = block(state, number)
        kept = tuple(event for event in found.events if not isinstance(event, Decided))
        own = [Decided(place, *pair) for place, pair in enumerate(changed.get(what, (("clip", "2"),) * 2), 1)]
        return replace(found, events=(*kept, *own))

    run.departs = [(reader, "block", other)]
    run.block()
    assert run.follower.size == run.view.size, "nothing in the log itself contradicts it"
    with pytest.raises(LogFailed, match="says another thing of block"):
        replica.admit(run.view.size)


@pytest.mark.integration
def test_nothing_is_parsed_before_the_signer_is_known(
    decided: tuple[Script, LocalAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F25: a stranger's run, and a proposal that nobody signed."""
    run, _ = decided
    terms, said = next((found, found.message) for found in run.signed if isinstance(found.message, RunTerms))
    text = description_of("mine", key("stranger").address)
    proposal = {
        "proposer": key("stranger").address,
        "description": text,
        "decisions": [("inner_lr", "0e-999999999999999999")],
        "deadline": 2**40,
        "signature": "0x" + "11" * 65,
    }

    def read(*_: object) -> None:
        raise CommonweightError("a stranger's number was read")

    monkeypatch.setattr(RunConfig, "from_json", read)
    monkeypatch.setattr(RunConfig, "with_decision", read)
    odd = {"config": '{"beta1": 0e-999999999999999999}'}
    forged = replace(terms, message=replace(said, nonce=9), signatures=(b"\1" * 64 + b"\x1b",), beside=odd)
    assert run.offer(forged).json()["code"] == "bad-signature"
    assert run.client.post("/v1/proposals", json=proposal).json()["code"] == "no-votes"
