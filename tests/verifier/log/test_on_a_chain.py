"""An audit with a chain of one's own: every block and root is compared with what the chain really says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from web3 import Web3

from contracts.chain import connect_devnet
from contracts.deploy import Deployment
from contracts.protocol.log.codec import canonical
from tests.databases import fresh_file
from tests.ledger.judgement.served_run import Served, ServedRun
from tests.verifier.log.files import OPERATOR, write_log
from verifier.log.auditing import AnotherChain, Audit, Auditor
from verifier.log.report import Report

pytestmark = pytest.mark.integration


@dataclass
class Paid:
    """A run whose epoch is final and in the log."""

    deployment: Deployment
    w3: Web3
    leaves: list[str]


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    folder = tmp_path_factory.mktemp("chain")
    served = Served()
    ledger = served.ledger(fresh_file(folder), folder)
    with ServedRun.on(served, ledger, rounds=1) as run:
        run.play()
        place = replace(served.deployment, log=OPERATOR.public.vkey())
        yield Paid(place, connect_devnet(served.chain), list(run.leaves))


def audit(paid: Paid, folder: Path, leaves: list[str]) -> Report:
    return Audit(Auditor(paid.deployment, str(write_log(folder / "log", leaves)), paid.w3)).run()


def test_blocks_and_roots_are_the_chains(paid: Paid, tmp_path: Path) -> None:
    report = audit(paid, tmp_path, paid.leaves)
    report.require()
    blocks = sum(json.loads(leaf)["kind"] == "block" for leaf in paid.leaves)
    assert f"blocks: {blocks} say what your chain says" in report.holds
    assert "roots: 1 final epochs have the root that follows from the log" in report.holds
    assert not any("--rpc-url" in line for line in report.unchecked)


def test_a_block_without_one_of_its_events_is_found(paid: Paid, tmp_path: Path) -> None:
    index = next(i for i, leaf in enumerate(paid.leaves) if '"event":"verifier-stands"' in leaf)
    body = json.loads(paid.leaves[index])
    less = canonical(body | {"events": body["events"][:-1]})
    report = audit(paid, tmp_path, [*paid.leaves[:index], less, *paid.leaves[index + 1 :]])
    finding = report.findings[0]
    assert (finding.kind, finding.index, finding.due) == ("block", index, paid.leaves[index])


def test_a_log_that_ends_before_the_epoch_does_is_compared_with_its_open_root(paid: Paid, tmp_path: Path) -> None:
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
