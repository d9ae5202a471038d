"""What is staked stays until what it answers for is judged, in whichever run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from contracts.bindings.node_stakes import NodeStakes
from contracts.chain.connection import ContractRejected, send
from contracts.ids import Address, ProofId, to_hex
from contracts.messages import for_log as messages
from contracts.messages.signatures import sign
from ledger.epochs import settlement
from tests.attacks.outsiders.script import another, script
from tests.attacks.outsiders.served import key
from tests.contracts.protocol.log import signed_run
from tests.deployed import PARAMS, key_of
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration
STAKE = 10**16


@contextmanager
def other_nodes() -> Iterator[None]:
    """The nodes of the quick run are not those of the slow one."""
    with patch.object(signed_run, "key", lambda name: key(name.replace("node", "friend"))):
        yield


@holds(
    "An epoch frees no stake that an open round of any run may need",
    by="contracts/protocol/judge/rules/epochs.py:due_epoch",
    against=Threat.FALSE_WORK,
)
def test_a_quick_runs_epochs_free_no_stake_of_a_slow_runs_round(tmp_path: Path) -> None:
    """X4: two epochs of another run became final, and the stake was gone before its round was judged."""
    rules: dict[str, Any] = {"nodeStake": STAKE, "panel": 0, "samples": 4}
    with script(tmp_path, nodes=2, rounds=3, **rules) as slow:
        cheat, _ = slow.nodes
        service, nodes = slow.service, slow.service.model.nodes
        service.stake(cheat, STAKE)
        slow.play(1)
        assert slow.round.listed[cheat.address].staked
        name = ProofId(to_hex(slow.commit(cheat)))
        slow.false[cheat.address] = set(range(slow.config.segments))
        send(service.model.w3, cheat, nodes.request_withdrawal(STAKE))
        with other_nodes():
            quick = another(slow, {"rounds": 2}, nodes=1, nonce=2)
            quick.read()
            quick.play(2)
        with pytest.raises(ContractRejected, match="NodeStakesWithdrawalLocked"):
            send(service.model.w3, cheat, nodes.withdraw(key("purse").address))
        slow.read()
        _end_round(slow, name)
        assert slow.view_of(slow.state.proofs[name])["costs_stake"]
        slow.make_final()
        slow.slash()
        assert taken(nodes, cheat.address) == STAKE


def test_a_pause_of_the_log_for_a_window_frees_no_stake(tmp_path: Path) -> None:
    """X5: two epochs closed before the first was final. The operator entered no block while both became final on the
    chain, so that no verifier could sign the fault; the stake was paid back meanwhile."""
    rules: dict[str, Any] = {"nodeStake": STAKE, "panel": 0, "samples": 4}
    with script(tmp_path, nodes=2, rounds=4, **rules) as run:
        cheat = run.nodes[0]
        service, model = run.service, run.service.model
        service.stake(cheat, STAKE)
        run.play(1)
        run.make_final()
        name = ProofId(to_hex(run.commit(cheat)))
        run.false[cheat.address] = set(range(run.config.segments))
        send(model.w3, cheat, model.nodes.request_withdrawal(STAKE))
        run.block()
        _end_round(run, name)
        assert run.view_of(run.state.proofs[name])["costs_stake"]
        run.false.clear()
        _end_round(run)
        for number in sorted(run.state.epochs):
            with service.ledger.store.read() as session:
                root = settlement.root_message(service.ledger, settlement.require_epoch(session, number))
            given: dict[str, bytes] = {
                v.address: sign(root, service.epoch_domain, bytes(v.key)) for v in run.verifiers[: run.state.k]
            }
            send(model.w3, key_of("creator"), model.registry.propose(root, given))
            service.chain.increase_time(PARAMS.challenge_window + 1)
            service.chain.mine()
            send(model.w3, key_of("creator"), model.registry.finalize(number))
        assert model.registry.finalized_epochs() == 3
        with pytest.raises(ContractRejected, match="NodeStakesWithdrawalLocked"):
            send(model.w3, cheat, model.nodes.withdraw(key("purse").address))


def _end_round(run: Any, *names: str) -> None:
    """All others commit, and what is in is read, decided and merged."""
    due = [node for node in run.nodes if node.address not in run.round.proofs]
    due = [node for node in due if run.round.listed[node.address].awaited]
    held = tuple(bytes.fromhex(name[2:]) for name in [*names, *(to_hex(run.commit(node)) for node in due)])
    for verifier in run.verifiers:
        run.send(messages.Has(run.run, run.round.number, verifier.address, held), verifier)
    run.see()
    run.draw()
    for proof in [run.state.proofs[closed] for closed in run.round.closed]:
        run.open_all(proof)
        run.read_through(proof)
        run.finish(proof)
    if run.state.runs[to_hex(run.run)].merged != run.round.number:
        run.merge()


def taken(nodes: NodeStakes, node: Address) -> int:
    """What neither counts nor waits to be paid any more."""
    return STAKE - nodes.stake_of(node) - nodes.pending_of(node).amount
