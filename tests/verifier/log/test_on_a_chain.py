"""An audit with a chain of one's own: every block and root is compared with what the chain really says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from web3 import Web3

from contracts.chain.connection import connect_devnet
from contracts.chain.deployment import Deployment
from contracts.devnet.chain import Devnet
from contracts.genesis.creation import first_block
from contracts.protocol.judge.chain_events import Quorum, VerifierStands
from contracts.protocol.judge.facts import Block
from contracts.protocol.log.codec import canonical
from contracts.protocol.log.leaf import write
from tests.databases import fresh_file
from tests.deployed import key_of
from tests.ledger.served_run import Served, ServedRun
from tests.limited_rpc import Limited
from tests.verifier.log.files import OPERATOR, write_log
from verifier.log.auditing import AnotherChain, Audit, Auditor
from verifier.log.report import AuditFailed, Report

pytestmark = pytest.mark.integration
HASH = "0x" + "66" * 32


@dataclass
class Paid:
    """A run whose epoch is final and in the log."""

    deployment: Deployment
    chain: Devnet
    w3: Web3
    leaves: list[str]


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    folder = tmp_path_factory.mktemp("chain")
    served = Served()
    served.chain.mine(150)  # more than some nodes give at a time
    ledger = served.ledger(fresh_file(folder), folder)
    with ServedRun.on(served, ledger, rounds=1) as run:
        run.play()
        place = replace(served.deployment, log=OPERATOR.public.vkey())
        yield Paid(place, served.chain, connect_devnet(served.chain), list(run.leaves))


def audit(paid: Paid, folder: Path, leaves: list[str]) -> Report:
    return Audit(Auditor(paid.deployment, str(write_log(folder / "log", leaves)), paid.w3)).run()


def test_blocks_and_roots_are_the_chains(paid: Paid, tmp_path: Path) -> None:
    report = audit(paid, tmp_path, paid.leaves)
    report.require()
    blocks = sum(json.loads(leaf)["kind"] == "block" for leaf in paid.leaves)
    assert f"blocks: {blocks} say what your chain says" in report.holds
    assert "roots: 1 final epochs have the root that follows from the log" in report.holds
    assert not any("--rpc-url" in line for line in report.unchecked)


@pytest.mark.parametrize("limit", [1, 100])
def test_a_node_that_gives_few_blocks_at_a_time_is_enough(paid: Paid, tmp_path: Path, limit: int) -> None:
    rpc = Limited(paid.chain.handle, limit)
    report = audit(replace(paid, w3=connect_devnet(cast(Any, rpc))), tmp_path, paid.leaves)
    report.require()
    blocks = sum(json.loads(leaf)["kind"] == "block" for leaf in paid.leaves)
    assert f"blocks: {blocks} say what your chain says" in report.holds
    assert limit // 2 <= rpc.widest < max(last - first for first, last in rpc.asked)
    assert min(first for first, _ in rpc.asked) >= first_block(paid.w3, paid.deployment)


def test_a_block_without_one_of_its_events_is_found(paid: Paid, tmp_path: Path) -> None:
    index = next(i for i, leaf in enumerate(paid.leaves) if '"event":"verifier-stands"' in leaf)
    body = json.loads(paid.leaves[index])
    less = canonical(body | {"events": body["events"][:-1]})
    report = audit(paid, tmp_path, [*paid.leaves[:index], less, *paid.leaves[index + 1 :]])
    finding = report.findings[0]
    assert (finding.kind, finding.index, finding.due) == ("block", index, paid.leaves[index])


def test_a_log_that_ends_early_is_compared_by_its_open_root(paid: Paid, tmp_path: Path) -> None:
    """Before the epoch's end."""
    closed = next(i for i, leaf in enumerate(paid.leaves) if json.loads(leaf)["kind"] == "epoch-closed")
    report = audit(paid, tmp_path, paid.leaves[: closed + 1])
    assert report.findings == []
    assert "epoch 1: final on the chain, with a root of the log's" in report.holds


def test_an_epoch_of_the_chain_that_a_shorter_log_lacks_is_named(paid: Paid, tmp_path: Path) -> None:
    report = audit(paid, tmp_path, paid.leaves[:2])
    assert report.findings == []
    assert any("epoch 1: the chain has it over" in line for line in report.unchecked)


def test_a_node_of_another_chain_is_refused(paid: Paid, tmp_path: Path) -> None:
    with pytest.raises(AnotherChain):
        Audit(Auditor(replace(paid.deployment, chain_id=7), str(tmp_path), paid.w3))


def block_of(paid: Paid, index: int = -1) -> dict[str, Any]:
    """One of the log's blocks."""
    return cast(dict[str, Any], json.loads([leaf for leaf in paid.leaves if '"kind":"block"' in leaf][index]))


def test_verifiers_invented_before_the_registry_are_found(paid: Paid, tmp_path: Path) -> None:
    """A first block before the registry's: whoever stands in it would judge, and no later block would fit the chain."""
    friends = [VerifierStands(key_of(f"friend {number}").address, True, 10**30) for number in range(3)]
    forged = [Block(0, 1, HASH, (Quorum(1, 1), *friends), 0), Block(1, 2, HASH, (), 1)]
    report = audit(paid, tmp_path, [paid.leaves[0], *map(write, forged)])
    assert [(finding.kind, finding.index) for finding in report.findings] == [("block", 1)]
    with pytest.raises(AuditFailed):
        report.require()


@pytest.mark.parametrize(
    ("number", "later", "said"),
    [(10**12, 10, "which no chain reaches"), (10**12, 10**11, "a time to come"), (500_000, -(10**4), "had only block")],
    ids=["too many blocks", "a time to come", "known by now"],
)
def test_a_block_that_no_chain_has_is_found(paid: Paid, tmp_path: Path, number: int, later: int, said: str) -> None:
    last = block_of(paid)
    time = int(last["time"]) + later
    forged = canonical({**last, "number": number, "time": time, "parent_time": time - 1, "hash": HASH, "events": []})
    report = audit(paid, tmp_path, [*paid.leaves, forged])
    finding = report.findings[0]
    assert (finding.kind, finding.index) == ("block", len(paid.leaves))
    assert said in finding.what
