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
from tests.contracts.bindings.test_contracts import PARAMS, World, decided
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


class Chain(World):
    """A model, a machine that was told of it so far, and who reads the chain for it."""

    def _reach(self, chain: Devnet) -> None:
        super()._reach(chain)
        self.stakes = NodeStakes(self.w3, self.registry.address)
        self.reader = ChainReader(self.w3, self.deployment)
        place = self.deployment
        self.state = State(Protocol(place.chain_id, place.distributor, self.model, place.deployer))
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
        fault = VerifierFault(self.model, self.verifiers[accused].address, evidence, 2**40)
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
def world() -> Chain:
    return Chain.fresh()


def test_the_first_block_says_all_since_the_registrys_creation(world: Chain) -> None:
    admitted = [VerifierStands(v.address, True, 0) for v in world.verifiers]
    staked = [VerifierStands(v.address, True, STAKE) for v in world.verifiers]
    events = (EpochLimit(PARAMS.max_epoch_total), *admitted, Quorum(PARAMS.threshold, STAKE), *staked)
    head, parent = (world.w3.eth.get_block(number) for number in (world.head(), world.head() - 1))
    block = world.reader.block(world.state, world.head())
    assert block == Block(
        world.head(), head["timestamp"], "0x" + bytes(head["hash"]).hex(), events, parent["timestamp"]
    )
    with pytest.raises(ChainUnfit, match="does not come after"):
        world.reader.block(world.state, 1)


def test_holders_change_the_quorum_the_limit_and_the_list(world: Chain) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    world.told()
    new, old = world.rival.address, world.verifiers[2].address
    world.carry(Action.of(world.registry.admit(new)), "one more")
    assert world.told() == (VerifierStands(new, True, 0),)
    world.carry(Action.of(world.registry.set_threshold(3)), "three of four")
    world.carry(Action.of(world.registry.set_max_epoch_total(77)), "less")
    assert world.told() == (Quorum(3, STAKE), EpochLimit(77))
    world.carry(Action.of(world.registry.remove(old)), "one less")
    assert world.told() == (world.stands(2, STAKE, admitted=False),)
    world.wait(PARAMS.node_withdrawal_delay + 1)
    send(world.w3, world.verifiers[2], world.registry.unstake())
    assert world.told() == (world.stands(2, 0, admitted=False),)


def test_a_node_below_the_least_stake_by_a_fault_stays_slashed(world: Chain) -> None:
    """Until it is back above it."""
    world.told()
    world.punish(0, b"e" * 32)
    world.stake(0, STAKE - 1)
    assert world.told() == (world.stands(0, 0, slashed=True), world.stands(0, STAKE - 1, slashed=True))
    world.stake(0, 1)
    assert world.told() == (world.stands(0, STAKE),)
    world.stake(0, STAKE)
    world.punish(0, b"f" * 32)
    assert world.told() == (world.stands(0, 2 * STAKE), world.stands(0, STAKE))


def test_a_fault_of_one_who_never_staked_enough_made_nobody_fall(world: Chain) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    world.carry(Action.of(world.registry.admit(world.rival.address)), "one more")
    send(world.w3, world.rival, world.registry.stake(), value=5)
    world.told()
    fault = VerifierFault(world.model, world.rival.address, b"e" * 32, 2**40)
    world.send(world.registry.punish(fault, world.signatures(fault, world.verifiers)))
    assert world.told() == (VerifierStands(world.rival.address, True, 0),)


def test_a_verifiers_slash_belongs_to_the_fault_that_was_signed(world: Chain) -> None:
    world.told()
    accused = world.verifiers[0].address
    for fault in (Fault.WRONG_TRACE, Fault.FELL_SILENT):
        world.state.faults[PROOF, accused, fault] = 0
    world.state.faults[PROOF, accused, ""] = 0
    world.state.faults[PROOF, world.verifiers[1].address, Fault.TWO_WORDS] = 0
    world.punish(0, fault_evidence(PROOF, Fault.FELL_SILENT))
    send(world.w3, world.verifiers[0], world.registry.stake(), value=1)
    world.punish(0, fault_evidence(PROOF, Fault.TWO_WORDS))  # another's
    assert world.told() == (
        world.stands(0, 0, slashed=True),
        VerifierSlashed(PROOF, accused, "fell-silent"),
        world.stands(0, 1, slashed=True),
        world.stands(0, 0, slashed=True),
    )
    assert (PROOF, accused, "fell-silent") not in world.state.faults
    assert (PROOF, accused, "wrong-trace") in world.state.faults


def test_evidence_differs_by_proof_and_fault() -> None:
    other = ProofId("0x" + "1e" * 32)
    assert len({fault_evidence(proof, fault) for proof in (PROOF, other) for fault in Fault}) == 2 * len(Fault)


def test_stakes_and_slashes_of_nodes(world: Chain) -> None:
    world.told()
    node = world.deployer.address
    world.send(world.stakes.stake(), 2_500)
    world.send(world.stakes.request_withdrawal(300))
    fault = NodeFault(world.model, node, bytes.fromhex(PROOF[2:]), 2**40)
    world.send(world.stakes.slash(fault, world.signatures(fault, world.verifiers)))
    assert world.told() == (NodeStake(node, 1_200), NodeSlashed(PROOF))


def test_decisions_of_this_model_alone_are_told(world: Chain) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    other = World(beside=world)
    world.told()
    assert other.deployment.model_registry == world.deployment.model_registry
    for number, (key, value) in enumerate((("rounds", "5"), ("rounds", "\0ö")), 1):
        world.carry(Action.of(world.models.decide(world.model, bytes([number]) * 32, key, value)), f"{number}")
    assert world.told() == (Decided(1, "rounds", "5"), Decided(2, "rounds", r"\x00ö"))
    theirs = Chain.fresh()
    theirs.reader = ChainReader(other.w3, other.deployment)
    block = theirs.reader.block(theirs.state, world.head())
    assert not any(isinstance(event, Decided) for event in block.events)


def test_an_undecided_dispute_lapses_before_a_root_is_final(world: Chain) -> None:
    world.told()
    root = world.root(world.payouts(1))
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers)))
    world.send(world.registry.challenge(1), PARAMS.bond)
    assert world.told() == ()
    world.wait(PARAMS.dispute_limit)
    world.send(world.registry.lapse(1))
    assert world.told() == (EpochLapsed(1, 0),)
    root = replace(world.root(world.payouts(1), attempt=1), root=bytes(32), total=0, count=0)
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers)))
    world.wait(PARAMS.challenge_window + 1)
    world.send(world.registry.finalize(1))
    assert world.told() == (EpochFinal(1, 1, "0x" + "00" * 32),)


def test_signers_of_a_struck_root_fall_below_the_least_stake(world: Chain) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    root = world.root(world.payouts(2))
    world.send(world.registry.propose(root, world.signatures(root, world.verifiers[:2])))
    world.send(world.registry.challenge(2), PARAMS.bond)
    world.told()
    world.carry(Action.of(decided(world.registry, 2, True)), "strike it down")
    fallen = (world.stands(0, 0, slashed=True), world.stands(1, 0, slashed=True))
    assert world.told() == (EpochStruck(2, 0), *fallen)


def test_a_struck_root_is_told_apart_from_a_lapsed_one(world: Chain) -> None:
    """Both in one look: each root that fell has its own reason."""
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    world.told()
    for attempt in range(2):
        root = world.root(world.payouts(2), attempt=attempt)
        world.send(world.registry.propose(root, world.signatures(root, world.verifiers[:2])))
        world.send(world.registry.challenge(2), world.registry.bond_now())
        if attempt == 0:
            world.wait(PARAMS.dispute_limit)
            world.send(world.registry.lapse(2))
    world.carry(Action.of(decided(world.registry, 2, True)), "strike it down")
    assert world.told()[:2] == (EpochLapsed(2, 0), EpochStruck(2, 1))


@holds(
    "Every reader of the chain gives the machine the same block",
    by="contracts/protocol/chain/reading.py:ChainReader",
    against=Threat.BAD_CHAIN,
)
def test_every_reader_gets_the_same_in_any_order_of_looks(world: Chain) -> None:
    world.stake(0, 5)
    world.punish(1, b"e" * 32)
    world.stake(1, 7)
    last = world.head()
    whole = world.reader.block(world.state, last)
    assert ChainReader(connect_devnet(world.chain), world.deployment).block(world.state, last) == whole
    events: tuple[ChainEvent, ...] = ()
    for number in range(world.deployment.block, last + 1):
        block = world.reader.block(world.state, number)
        apply(world.state, block)
        events += block.events
    assert events == whole.events
    assert block == replace(whole, events=block.events)


def test_logs_are_read_in_pages(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = world.reader.block(world.state, world.head())
    spans: list[int] = []
    honest = world.chain.handle

    def handle(request: Any) -> Any:
        if request["method"] == "eth_getLogs":
            first, last = (int(request["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
            spans.append(last - first + 1)
        return honest(request)

    monkeypatch.setattr(world.chain, "handle", handle)
    monkeypatch.setattr(log_pace, "MOST_BLOCKS", 3)
    assert world.reader.block(world.state, world.head()) == whole
    assert max(spans) == 3
    assert len(spans) > 6


@pytest.mark.parametrize(("refusal", "limit"), [("-32602", 1), ("-32005", 100), ("http 413", 100), ("silence", 10)])
def test_a_verifiers_node_may_give_few_blocks_at_a_time(world: Chain, refusal: str, limit: int) -> None:
    world.chain.mine(120)
    world.stake(0, 1)
    whole = world.reader.block(world.state, world.head())
    rpc = Limited(world.chain.handle, limit, REFUSALS[refusal])
    theirs = ChainReader(connect_devnet(cast(Any, rpc)), world.deployment)
    assert theirs.block(world.state, world.head()) == whole
    assert rpc.widest > limit // 10
    assert min(first for first, _ in rpc.asked) == first_block(world.w3, world.deployment)


# ---- when a block is due


def test_a_block_is_due_after_an_event_or_enough_time(world: Chain) -> None:
    def due(state: State, every: int) -> int | None:
        return world.reader.due(DueBlocks.of(state), every)

    world.chain.mine()  # now: the chain may have been made a while ago
    assert due(world.state, 100) == world.head()
    world.told()
    assert due(world.state, 100) is None
    world.wait(50)
    assert due(world.state, 100) is None
    world.stake(0, 1)
    world.chain.mine()
    assert due(world.state, 100) == world.head()
    world.told()
    world.wait(100)
    assert due(world.state, 100) == world.head()
    assert due(replace(world.state, block=replace(_block(world), more=True)), 100) is None


def test_a_beacon_is_due_before_anything_else(world: Chain) -> None:
    world.told()
    began = _block(world).time
    for seconds in (40, 0, 20, 0, 0, 30):
        world.wait(seconds)
        world.chain.mine()
    world.stake(0, 1)
    times = [int(world.w3.eth.get_block(n)["timestamp"]) for n in range(world.head() + 1)]
    for target in range(began + 1, times[-1] + 1, 7):
        first = next(n for n, time in enumerate(times) if time >= target)
        for beacons in ((target,), (times[-1] + 9, target), (target, target + 1)):
            state = replace(world.state, runs={RunId("r"): _run(*beacons)})
            assert world.reader.due(DueBlocks.of(state), 1) == first
            apply(deepcopy(state), world.reader.block(state, first))  # the machine lets nobody pass over a beacon
    later = replace(world.state, runs={RunId("r"): _run(times[-1] + 1)})
    assert world.reader.due(DueBlocks.of(later), 10**6) == world.head()  # a stake was said
    fixed = replace(world.state, runs={RunId("r"): _run(began + 1, phase=Phase.READING)})
    assert world.reader.due(DueBlocks.of(fixed), 10**6) == world.head()


def test_what_is_not_final_is_neither_due_nor_read(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    world.told()
    final, honest = world.head(), world.chain._number
    monkeypatch.setattr(world.chain, "_number", lambda tag: final if tag == "finalized" else honest(tag))
    world.stake(0, 1)
    assert world.reader.final() == (final, _block(world).time)
    assert world.reader.due(DueBlocks.of(world.state), 0) is None
    with pytest.raises(BlockNotFinal):
        world.reader.block(world.state, final + 1)


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
    world: Chain, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]
) -> None:
    world.told()
    world.stake(0, 1)
    world.lie(monkeypatch, "eth_getLogs", change)
    with pytest.raises(ChainUnfit):
        world.told()


def test_a_decision_of_another_model_is_refused(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    world.told()
    world.carry(Action.of(world.models.decide(world.model, b"1" * 32, "rounds", "5")), "5 rounds")
    model = world.deployment.model
    world.lie(
        monkeypatch,
        "eth_getLogs",
        lambda logs: [{**x, "topics": ["0x" + "44" * 32 if t == model else t for t in x["topics"]]} for x in logs],
    )
    with pytest.raises(ChainUnfit, match="not asked for"):
        world.told()


@pytest.mark.parametrize(
    "changes", [{"number": "0x1"}, {"parentHash": "0x" + "55" * 32}, {"hash": None}, {"timestamp": None}]
)
def test_headers_that_do_not_fit_are_refused(
    world: Chain, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    last = world.head()
    world.lie(monkeypatch, "eth_getBlockByNumber", lambda header: {**header, **changes})
    with pytest.raises((ChainUnfit, BlockNotFinal)):
        world.reader.block(world.state, last)


def test_another_chain_than_the_logs_is_refused(world: Chain) -> None:
    world.told()
    world.chain.mine()
    state = replace(world.state, block=replace(_block(world), hash="0x" + "66" * 32))
    with pytest.raises(ChainUnfit, match="the log has"):
        world.reader.block(state, world.head())
    with pytest.raises(ChainUnfit, match="to its end"):
        world.reader.block(replace(world.state, block=replace(_block(world), more=True)), world.head())


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


def _block(world: Chain) -> Block:
    assert world.state.block is not None
    return world.state.block


def _run(*beacon_times: int, phase: Phase = Phase.CLOSED) -> RunState:
    rounds = {n: RoundState(run=RunId("r"), number=n, phase=phase, beacon_time=t) for n, t in enumerate(beacon_times)}
    return RunState(cast(Any, None), "", "", "", rounds=rounds)
