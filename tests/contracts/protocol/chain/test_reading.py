"""What the machine is told of a chain, read from the contracts themselves on a fresh one."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast

import pytest

from contracts.bindings.governor import Action
from contracts.bindings.node_stakes import NodeStakes
from contracts.chain.connection import connect_devnet, load_artifact, send
from contracts.devnet.chain import Devnet
from contracts.evm import log_pace
from contracts.evm.errors import ChainUnfit
from contracts.genesis.creation import first_block
from contracts.ids import ProofId, RunId
from contracts.messages.for_contracts import NodeFault, VerifierFault
from contracts.protocol.chain import logs as chain_logs
from contracts.protocol.chain.reading import BlockNotFinal, ChainReader, DueBlocks
from contracts.protocol.faults import fault_evidence
from contracts.protocol.judge.chain_events import (
    ChainEvent,
    Decided,
    EpochFinal,
    EpochLapsed,
    EpochLimit,
    EpochStruck,
    NodeSlashed,
    NodeStake,
    Quorum,
    VerifierSlashed,
    VerifierStands,
)
from contracts.protocol.judge.entries import Fault
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.judge.machine import VERSION, apply
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.state import Phase, RoundState, RunState, State
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel, decided
from tests.holds import Threat, holds
from tests.limited_rpc import REFUSALS, Limited

pytestmark = pytest.mark.integration

STAKE = PARAMS.min_stake
PROOF = ProofId("0x" + "1d" * 32)
NOT_FOLLOWED = {
    "EIP712DomainChanged": "the domain is that of the deployment",
    "RoleGranted": "powers of the timelock, which the genesis check looks at",
    "RoleRevoked": "as above",
    "RoleAdminChanged": "as above",
    "EpochProposed": "a root counts when it is final, or was struck down",
    "EpochSigned": "as above",
    "EpochChallenged": "as above",
    "ChallengeFailed": "as above",
    "NodeWithdrawalRequested": "NodeStakeChanged is beside it",
    "NodeWithdrawn": "what was being withdrawn did not count",
    "PaymentOwed": "coins of nobody's stake",
    "PaymentWithdrawn": "as above",
    "MoneyHeld": "as above: what was taken is no stake any more",
    "HeldMoneyPaid": "as above",
    "ModelRegistered": "the deployment names the model",
    "CheckpointRecorded": "a record for people",
    "ReleaseRecorded": "as above",
}
"""Why an event is none of the machine's."""


class FollowedModel(DeployedModel):
    """A deployed model, the machine's state of it so far, and the reader of its chain."""

    def _reach(self, chain: Devnet) -> None:
        super()._reach(chain)
        self.stakes = NodeStakes(self.w3, self.registry.address)
        self.reader = ChainReader(self.w3, self.deployment)
        place = self.deployment
        self.state = State(Protocol(place.chain_id, place.distributor, self.id, place.deployer))
        apply(self.state, Rules(VERSION))

    def head(self) -> int:
        return int(self.w3.eth.block_number)

    def told(self) -> tuple[ChainEvent, ...]:
        """What was said since the last look, entered."""
        block = self.reader.block(self.state, self.head())
        apply(self.state, block)
        return block.events

    def punish(self, accused: int, evidence: bytes) -> None:
        others = [v for v in self.verifiers if v is not self.verifiers[accused]]
        fault = VerifierFault(self.id, self.verifiers[accused].address, evidence, 2**40)
        self.send(self.registry.punish(fault, self.signatures(fault, others)))

    def stake(self, verifier: int, amount: int) -> None:
        send(self.w3, self.verifiers[verifier], self.registry.stake(), value=amount)

    def stands(self, verifier: int, stake: int, admitted: bool = True, slashed: bool = False) -> VerifierStands:
        return VerifierStands(self.verifiers[verifier].address, admitted, stake, slashed)

    def lie(self, monkeypatch: pytest.MonkeyPatch, method: str, change: Callable[[Any], Any]) -> None:
        """Have the node answer otherwise from now on."""
        honest = self.chain.handle

        def handle(request: Any) -> Any:
            answer = honest(request)
            return {**answer, "result": change(answer["result"])} if request["method"] == method else answer

        monkeypatch.setattr(self.chain, "handle", handle)


@pytest.fixture
def followed() -> FollowedModel:
    return FollowedModel.fresh()


def test_the_first_block_says_all_since_the_registrys_creation(followed: FollowedModel) -> None:
    admitted = [VerifierStands(v.address, True, 0) for v in followed.verifiers]
    staked = [VerifierStands(v.address, True, STAKE) for v in followed.verifiers]
    events = (EpochLimit(PARAMS.max_epoch_total), *admitted, Quorum(PARAMS.threshold, STAKE), *staked)
    head, parent = (followed.w3.eth.get_block(number) for number in (followed.head(), followed.head() - 1))
    block = followed.reader.block(followed.state, followed.head())
    assert block == Block(
        followed.head(), head["timestamp"], "0x" + bytes(head["hash"]).hex(), events, parent["timestamp"]
    )
    with pytest.raises(ChainUnfit, match="does not come after"):
        followed.reader.block(followed.state, 1)


def test_holders_change_the_quorum_the_limit_and_the_list(followed: FollowedModel) -> None:
    followed.send(followed.claim(followed.finalized(1), 0))
    followed.wait(2)
    followed.told()
    new, old = followed.rival.address, followed.verifiers[2].address
    followed.carry(Action.of(followed.registry.admit(new)), "one more")
    assert followed.told() == (VerifierStands(new, True, 0),)
    followed.carry(Action.of(followed.registry.set_threshold(3)), "three of four")
    followed.carry(Action.of(followed.registry.set_max_epoch_total(77)), "less")
    assert followed.told() == (Quorum(3, STAKE), EpochLimit(77))
    followed.carry(Action.of(followed.registry.remove(old)), "one less")
    assert followed.told() == (followed.stands(2, STAKE, admitted=False),)
    followed.wait(PARAMS.node_withdrawal_delay + 1)
    send(followed.w3, followed.verifiers[2], followed.registry.unstake())
    assert followed.told() == (followed.stands(2, 0, admitted=False),)


def test_a_node_below_the_least_stake_by_a_fault_stays_slashed(followed: FollowedModel) -> None:
    """Until it is back above it."""
    followed.told()
    followed.punish(0, b"e" * 32)
    followed.stake(0, STAKE - 1)
    assert followed.told() == (followed.stands(0, 0, slashed=True), followed.stands(0, STAKE - 1, slashed=True))
    followed.stake(0, 1)
    assert followed.told() == (followed.stands(0, STAKE),)
    followed.stake(0, STAKE)
    followed.punish(0, b"f" * 32)
    assert followed.told() == (followed.stands(0, 2 * STAKE), followed.stands(0, STAKE))


def test_a_fault_of_one_who_never_staked_enough_made_nobody_fall(followed: FollowedModel) -> None:
    followed.send(followed.claim(followed.finalized(1), 0))
    followed.wait(2)
    followed.carry(Action.of(followed.registry.admit(followed.rival.address)), "one more")
    send(followed.w3, followed.rival, followed.registry.stake(), value=5)
    followed.told()
    fault = VerifierFault(followed.id, followed.rival.address, b"e" * 32, 2**40)
    followed.send(followed.registry.punish(fault, followed.signatures(fault, followed.verifiers)))
    assert followed.told() == (VerifierStands(followed.rival.address, True, 0),)


def test_a_verifiers_slash_belongs_to_the_fault_that_was_signed(followed: FollowedModel) -> None:
    followed.told()
    accused = followed.verifiers[0].address
    for fault in (Fault.WRONG_TRACE, Fault.FELL_SILENT):
        followed.state.faults[PROOF, accused, fault] = 0
    followed.state.faults[PROOF, accused, ""] = 0
    followed.state.faults[PROOF, followed.verifiers[1].address, Fault.TWO_WORDS] = 0
    followed.punish(0, fault_evidence(PROOF, Fault.FELL_SILENT))
    send(followed.w3, followed.verifiers[0], followed.registry.stake(), value=1)
    followed.punish(0, fault_evidence(PROOF, Fault.TWO_WORDS))  # another's
    assert followed.told() == (
        followed.stands(0, 0, slashed=True),
        VerifierSlashed(PROOF, accused, "fell-silent"),
        followed.stands(0, 1, slashed=True),
        followed.stands(0, 0, slashed=True),
    )
    assert (PROOF, accused, "fell-silent") not in followed.state.faults
    assert (PROOF, accused, "wrong-trace") in followed.state.faults


def test_evidence_differs_by_proof_and_fault() -> None:
    other = ProofId("0x" + "1e" * 32)
    assert len({fault_evidence(proof, fault) for proof in (PROOF, other) for fault in Fault}) == 2 * len(Fault)


def test_stakes_and_slashes_of_nodes(followed: FollowedModel) -> None:
    followed.told()
    node = followed.deployer.address
    followed.send(followed.stakes.stake(), 2_500)
    followed.send(followed.stakes.request_withdrawal(300))
    fault = NodeFault(followed.id, node, bytes.fromhex(PROOF[2:]), 2**40)
    followed.send(followed.stakes.slash(fault, followed.signatures(fault, followed.verifiers)))
    assert followed.told() == (NodeStake(node, 1_200), NodeSlashed(PROOF))


def test_decisions_of_this_model_alone_are_told(followed: FollowedModel) -> None:
    followed.send(followed.claim(followed.finalized(1), 0))
    followed.wait(2)
    other = DeployedModel(beside=followed)
    followed.told()
    assert other.deployment.model_registry == followed.deployment.model_registry
    for number, (key, value) in enumerate((("rounds", "5"), ("rounds", "\0ö")), 1):
        followed.carry(Action.of(followed.models.decide(followed.id, bytes([number]) * 32, key, value)), f"{number}")
    assert followed.told() == (Decided(1, "rounds", "5"), Decided(2, "rounds", r"\x00ö"))
    theirs = FollowedModel.fresh()
    theirs.reader = ChainReader(other.w3, other.deployment)
    block = theirs.reader.block(theirs.state, followed.head())
    assert not any(isinstance(event, Decided) for event in block.events)


def test_an_undecided_dispute_lapses_before_a_root_is_final(followed: FollowedModel) -> None:
    followed.told()
    root = followed.root(followed.payouts(1))
    followed.send(followed.registry.propose(root, followed.signatures(root, followed.verifiers)))
    followed.send(followed.registry.challenge(1), PARAMS.bond)
    assert followed.told() == ()
    followed.wait(PARAMS.dispute_limit)
    followed.send(followed.registry.lapse(1))
    assert followed.told() == (EpochLapsed(1, 0),)
    root = replace(followed.root(followed.payouts(1), attempt=1), root=bytes(32), total=0, count=0)
    followed.send(followed.registry.propose(root, followed.signatures(root, followed.verifiers)))
    followed.wait(PARAMS.challenge_window + 1)
    followed.send(followed.registry.finalize(1))
    assert followed.told() == (EpochFinal(1, 1, "0x" + "00" * 32),)


def test_signers_of_a_struck_root_fall_below_the_least_stake(followed: FollowedModel) -> None:
    followed.send(followed.claim(followed.finalized(1), 0))
    followed.wait(2)
    root = followed.root(followed.payouts(2))
    followed.send(followed.registry.propose(root, followed.signatures(root, followed.verifiers[:2])))
    followed.send(followed.registry.challenge(2), PARAMS.bond)
    followed.told()
    followed.carry(Action.of(decided(followed.registry, 2, True)), "strike it down")
    fallen = (followed.stands(0, 0, slashed=True), followed.stands(1, 0, slashed=True))
    assert followed.told() == (EpochStruck(2, 0), *fallen)


def test_a_struck_root_is_told_apart_from_a_lapsed_one(followed: FollowedModel) -> None:
    """Both in one look: each root that fell has its own reason."""
    followed.send(followed.claim(followed.finalized(1), 0))
    followed.wait(2)
    followed.told()
    for attempt in range(2):
        root = followed.root(followed.payouts(2), attempt=attempt)
        followed.send(followed.registry.propose(root, followed.signatures(root, followed.verifiers[:2])))
        followed.send(followed.registry.challenge(2), followed.registry.bond_now())
        if attempt == 0:
            followed.wait(PARAMS.dispute_limit)
            followed.send(followed.registry.lapse(2))
    followed.carry(Action.of(decided(followed.registry, 2, True)), "strike it down")
    assert followed.told()[:2] == (EpochLapsed(2, 0), EpochStruck(2, 1))


@holds(
    "Every reader of the chain gives the machine the same block",
    by="contracts/protocol/chain/reading.py:ChainReader",
    against=Threat.BAD_CHAIN,
)
def test_every_reader_gets_the_same_in_any_order_of_looks(followed: FollowedModel) -> None:
    followed.stake(0, 5)
    followed.punish(1, b"e" * 32)
    followed.stake(1, 7)
    last = followed.head()
    whole = followed.reader.block(followed.state, last)
    assert ChainReader(connect_devnet(followed.chain), followed.deployment).block(followed.state, last) == whole
    events: tuple[ChainEvent, ...] = ()
    for number in range(followed.deployment.block, last + 1):
        block = followed.reader.block(followed.state, number)
        apply(followed.state, block)
        events += block.events
    assert events == whole.events
    assert block == replace(whole, events=block.events)


def test_logs_are_read_in_pages(followed: FollowedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = followed.reader.block(followed.state, followed.head())
    spans: list[int] = []
    honest = followed.chain.handle

    def handle(request: Any) -> Any:
        if request["method"] == "eth_getLogs":
            first, last = (int(request["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
            spans.append(last - first + 1)
        return honest(request)

    monkeypatch.setattr(followed.chain, "handle", handle)
    monkeypatch.setattr(log_pace, "MOST_BLOCKS", 3)
    assert followed.reader.block(followed.state, followed.head()) == whole
    assert max(spans) == 3
    assert len(spans) > 6


@pytest.mark.parametrize(("refusal", "limit"), [("-32602", 1), ("-32005", 100), ("http 413", 100), ("silence", 10)])
def test_a_verifiers_node_may_give_few_blocks_at_a_time(followed: FollowedModel, refusal: str, limit: int) -> None:
    followed.chain.mine(120)
    followed.stake(0, 1)
    whole = followed.reader.block(followed.state, followed.head())
    rpc = Limited(followed.chain.handle, limit, REFUSALS[refusal])
    theirs = ChainReader(connect_devnet(cast(Any, rpc)), followed.deployment)
    assert theirs.block(followed.state, followed.head()) == whole
    assert rpc.widest > limit // 10
    assert min(first for first, _ in rpc.asked) == first_block(followed.w3, followed.deployment)


# ---- when a block is due


def test_a_block_is_due_after_an_event_or_enough_time(followed: FollowedModel) -> None:
    def due(state: State, every: int) -> int | None:
        return followed.reader.due(DueBlocks.of(state), every)

    followed.chain.mine()  # now: the chain may have been made a while ago
    assert due(followed.state, 100) == followed.head()
    followed.told()
    assert due(followed.state, 100) is None
    followed.wait(50)
    assert due(followed.state, 100) is None
    followed.stake(0, 1)
    followed.chain.mine()
    assert due(followed.state, 100) == followed.head()
    followed.told()
    followed.wait(100)
    assert due(followed.state, 100) == followed.head()
    assert due(replace(followed.state, block=replace(_block(followed), more=True)), 100) is None


def test_a_beacon_is_due_before_anything_else(followed: FollowedModel) -> None:
    followed.told()
    began = _block(followed).time
    for seconds in (40, 0, 20, 0, 0, 30):
        followed.wait(seconds)
        followed.chain.mine()
    followed.stake(0, 1)
    times = [int(followed.w3.eth.get_block(n)["timestamp"]) for n in range(followed.head() + 1)]
    for target in range(began + 1, times[-1] + 1, 7):
        first = next(n for n, time in enumerate(times) if time >= target)
        for beacons in ((target,), (times[-1] + 9, target), (target, target + 1)):
            state = replace(followed.state, runs={RunId("r"): _run(*beacons)})
            assert followed.reader.due(DueBlocks.of(state), 1) == first
            apply(deepcopy(state), followed.reader.block(state, first))  # the machine lets nobody pass over a beacon
    later = replace(followed.state, runs={RunId("r"): _run(times[-1] + 1)})
    assert followed.reader.due(DueBlocks.of(later), 10**6) == followed.head()  # a stake was said
    fixed = replace(followed.state, runs={RunId("r"): _run(began + 1, phase=Phase.READING)})
    assert followed.reader.due(DueBlocks.of(fixed), 10**6) == followed.head()


def test_what_is_not_final_is_neither_due_nor_read(followed: FollowedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    followed.told()
    final, honest = followed.head(), followed.chain._number
    monkeypatch.setattr(followed.chain, "_number", lambda tag: final if tag == "finalized" else honest(tag))
    followed.stake(0, 1)
    assert followed.reader.final() == (final, _block(followed).time)
    assert followed.reader.due(DueBlocks.of(followed.state), 0) is None
    with pytest.raises(BlockNotFinal):
        followed.reader.block(followed.state, final + 1)


# ---- a node that answers otherwise


def _each(**changes: Any) -> Callable[[Any], Any]:
    return lambda logs: [{**log, **changes} for log in logs]


UNFIT_LOGS: dict[str, Callable[[Any], Any]] = {
    "another address": _each(address="0x" + "11" * 20),
    "another block": _each(blockNumber="0x1"),
    "taken back": _each(removed=True),
    "of another block": _each(blockHash="0x" + "22" * 32),
    "without data": _each(data="0x"),
    "unknown": lambda logs: [{**log, "topics": ["0x" + "33" * 32, *log["topics"][1:]]} for log in logs],
    "without topics": _each(topics=[]),
    "twice": lambda logs: [*logs, *logs],
    "no place": _each(logIndex=None),
}


@pytest.mark.parametrize("change", UNFIT_LOGS.values(), ids=UNFIT_LOGS)
def test_logs_that_do_not_fit_are_refused(
    followed: FollowedModel, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]
) -> None:
    followed.told()
    followed.stake(0, 1)
    followed.lie(monkeypatch, "eth_getLogs", change)
    with pytest.raises(ChainUnfit):
        followed.told()


def test_a_decision_of_another_model_is_refused(followed: FollowedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    followed.send(followed.claim(followed.finalized(1), 0))
    followed.wait(2)
    followed.told()
    followed.carry(Action.of(followed.models.decide(followed.id, b"1" * 32, "rounds", "5")), "5 rounds")
    model = followed.deployment.model
    followed.lie(
        monkeypatch,
        "eth_getLogs",
        lambda logs: [{**x, "topics": ["0x" + "44" * 32 if t == model else t for t in x["topics"]]} for x in logs],
    )
    with pytest.raises(ChainUnfit, match="not asked for"):
        followed.told()


@pytest.mark.parametrize(
    "changes", [{"number": "0x1"}, {"parentHash": "0x" + "55" * 32}, {"hash": None}, {"timestamp": None}]
)
def test_headers_that_do_not_fit_are_refused(
    followed: FollowedModel, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    last = followed.head()
    followed.lie(monkeypatch, "eth_getBlockByNumber", lambda header: {**header, **changes})
    with pytest.raises((ChainUnfit, BlockNotFinal)):
        followed.reader.block(followed.state, last)


def test_another_chain_than_the_logs_is_refused(followed: FollowedModel) -> None:
    followed.told()
    followed.chain.mine()
    state = replace(followed.state, block=replace(_block(followed), hash="0x" + "66" * 32))
    with pytest.raises(ChainUnfit, match="the log has"):
        followed.reader.block(state, followed.head())
    with pytest.raises(ChainUnfit, match="to its end"):
        followed.reader.block(replace(followed.state, block=replace(_block(followed), more=True)), followed.head())


# ---- every event


@pytest.mark.parametrize(
    ("contract", "followed"),
    [("VerifierRegistry", chain_logs.REGISTRY_EVENTS), ("ModelRegistry", chain_logs.MODEL_EVENTS)],
)
def test_every_event_is_followed_or_its_omission_explained(contract: str, followed: tuple[str, ...]) -> None:
    written = {entry["name"] for entry in load_artifact(contract)["abi"] if entry["type"] == "event"}
    assert set(followed) <= written
    assert written - set(followed) <= set(NOT_FOLLOWED)
    assert not set(followed) & set(NOT_FOLLOWED)


def _block(followed: FollowedModel) -> Block:
    assert followed.state.block is not None
    return followed.state.block


def _run(*beacon_times: int, phase: Phase = Phase.CLOSED) -> RunState:
    rounds = {n: RoundState(run=RunId("r"), number=n, phase=phase, beacon_time=t) for n, t in enumerate(beacon_times)}
    return RunState(cast(Any, None), "", "", "", rounds=rounds)
