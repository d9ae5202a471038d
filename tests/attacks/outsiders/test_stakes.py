"""What is staked stays until what it answers for is judged, in whichever run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from contracts.chain import ContractRejected, send
from contracts.node_stakes import NodeStakes
from contracts.protocol import messages
from tests.attacks.outsiders.script import another, script
from tests.attacks.outsiders.served import key
from tests.contracts.protocol.log import signed_run
from tests.contracts.protocol.log.signed_run import hexed

pytestmark = pytest.mark.integration
STAKE = 10**15


@contextmanager
def other_nodes() -> Iterator[None]:
    """The nodes of the quick run are not those of the slow one."""
    with patch.object(signed_run, "key", lambda name: key(name.replace("node", "friend"))):
        yield


def test_a_quick_runs_epochs_free_no_stake_of_a_slow_runs_round(tmp_path: Path) -> None:
    """X4: two epochs of another run became final, and the stake was gone before its round was judged."""
    rules: dict[str, Any] = {"nodeStake": STAKE, "panel": 0, "samples": 4}
    with script(tmp_path, nodes=2, rounds=3, **rules) as slow:
        cheat, honest = slow.nodes
        service, nodes = slow.service, slow.service.model.nodes
        service.stake(cheat, STAKE)
        slow.play(1)
        assert slow.round.listed[cheat.address].staked
        name = hexed(slow.commit(cheat))
        slow.false[cheat.address] = set(range(slow.config.segments))
        send(service.model.w3, cheat, nodes.request_withdrawal(STAKE))
        with other_nodes():
            quick = another(slow, {"rounds": 2}, nodes=1, nonce=2)
            quick.read()
            quick.play(2)
        with pytest.raises(ContractRejected, match="NodeWithdrawalLocked"):
            send(service.model.w3, cheat, nodes.withdraw(key("purse").address))
        slow.read()
        held = tuple(bytes.fromhex(proof[2:]) for proof in (name, hexed(slow.commit(honest))))
        for verifier in slow.verifiers:
            slow.send(messages.Has(slow.run, slow.round.number, verifier.address, held), verifier)
        slow.see()
        slow.draw()
        for proof in [slow.state.proofs[closed] for closed in slow.round.closed]:
            slow.open_all(proof)
            slow.read_through(proof)
            slow.finish(proof)
        assert slow.view_of(slow.state.proofs[name])["costs_stake"]
        slow.merge()
        slow.make_final()
        slow.slash()
        assert taken(nodes, cheat.address) == STAKE


def taken(nodes: NodeStakes, node: str) -> int:
    """What neither counts nor waits to be paid any more."""
    return STAKE - nodes.stake_of(node) - nodes.pending_of(node).amount
