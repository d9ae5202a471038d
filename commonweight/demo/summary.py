"""The demo's figures, read back from the ledger and the chain, with the equalities that must hold."""

from __future__ import annotations

from dataclasses import dataclass

from commonweight.demo.cast import CHEAT, JOINER, KILLED, NODES, VERIFIERS, Cast, wallet
from commonweight.demo.outcome import (
    ChainOutcome,
    EpochOutcome,
    Findings,
    NodeOutcome,
    Outcome,
    RoundOutcome,
    VerdictOutcome,
    VerdictWord,
)
from contracts.bindings.token import ModelToken
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect
from contracts.ids import RunId, as_address, to_hex
from contracts.protocol.run_config import RunConfig
from contracts.wire.epochs import Epoch, Payouts
from contracts.wire.proofs import Proof, SegmentWord
from contracts.wire.relay import Transaction
from contracts.wire.rounds import ProofLine, Round
from contracts.wire.states import ProofState
from contracts.wire.votes import Decision, Tally
from trainer.client import ApiClient

SCALE = 10**18


@dataclass(frozen=True)
class Source:
    """The source of the figures: rounds up to `rounds`, the first one that obeyed the vote."""

    client: ApiClient
    rpc_url: str
    run: RunId
    cast: Cast
    proposal: str
    rounds: int


def collect(source: Source) -> Outcome:
    """Read all figures, while server and chain still answer."""
    client = source.client
    rounds = [client.read(Round, f"/runs/{source.run}/rounds/{n}") for n in range(1, source.rounds + 1)]
    epoch = client.read_list(Epoch, "/epochs")[0]
    chain = _chain(source, epoch)
    findings = Findings(
        run=source.run,
        nodes=[_node(source, name, rounds, chain) for name in NODES],
        verdicts=[_verdict(source, line) for current in rounds for line in current.proofs],
        rounds=[_round(source, current) for current in rounds],
        epoch=_epoch(epoch),
        chain=chain,
        tally=client.read(Tally, f"/proposals/{source.proposal}/tally"),
        decisions=client.read_list(Decision, "/decisions"),
        transactions=client.read_list(Transaction, "/transactions", limit=1000),
    )
    return Outcome(**dict(findings), checks=_checks(source, findings))


def _epoch(epoch: Epoch) -> EpochOutcome:
    return EpochOutcome(
        epoch=epoch.epoch,
        root=epoch.root,
        total=epoch.total,
        count=epoch.count,
        state=epoch.state,
        log_size=epoch.log_size,
        log_root=epoch.log_root,
    )


def _chain(source: Source, epoch: Epoch) -> ChainOutcome:
    w3 = connect(source.rpc_url)
    deployment = source.client.network.deployment
    token = ModelToken(w3, as_address(deployment.token))
    state = VerifierRegistry(w3, as_address(deployment.verifier_registry)).epoch_of(epoch.epoch)
    balances = {
        name: str(token.balance_of(as_address(source.cast.address(wallet(as_address(name)))))) for name in NODES
    }
    return ChainOutcome(
        supply=str(token.total_supply()),
        balances=balances,
        epoch_root=to_hex(state.root),
        epoch_total=str(state.total),
        epoch_final=state.status.name == "FINAL",
    )


def _node(source: Source, name: str, rounds: list[Round], chain: ChainOutcome) -> NodeOutcome:
    proofs = [p for r in rounds for p in r.proofs if p.node == source.cast.address(name)]
    steps = {r.round: RunConfig.from_json(r.config).steps for r in rounds}
    counted = {state: sum(steps[p.round] for p in proofs if p.state == state) for state in ProofState}
    units = int(chain.balances[name])
    return NodeOutcome(
        name=name,
        address=source.cast.address(name),
        claimed_steps=sum(counted.values()),
        verified_steps=counted[ProofState.POSTED],
        voided_steps=counted[ProofState.VOIDED],
        reasons=sorted({p.reason for p in proofs if p.reason}),
        units=str(units),
        share_percent=round(100 * units / max(1, int(chain.supply)), 4),
    )


def _verdict(source: Source, line: ProofLine) -> VerdictOutcome:
    view = source.client.read(Proof, f"/proofs/{line.proof}")
    return VerdictOutcome(
        round=line.round,
        node=source.cast.name_of(as_address(line.node)),
        state=line.state,
        reason=line.reason,
        error=int(line.measured) / SCALE,
        limit=int(line.limit) / SCALE,
        draws={source.cast.name_of(as_address(verifier)): drawn for verifier, drawn in view.draws.items()},
        bench=[call.segment for call in view.bench],
        decided=view.decided,
        words=[_word(source, word) for word in view.words],
        proof=line.proof,
    )


def _word(source: Source, word: SegmentWord) -> VerdictWord:
    return VerdictWord(
        verifier=source.cast.name_of(as_address(word.verifier)),
        segment=word.segment,
        word=word.word,
        error=int(word.measured) / SCALE,
        limit=int(word.limit) / SCALE,
    )


def _round(source: Source, current: Round) -> RoundOutcome:
    losses = sorted(current.merge.held_out_loss.values()) if current.merge else []
    return RoundOutcome(
        round=current.round,
        config_digest=current.config_digest,
        inner_lr=RunConfig.from_json(current.config).inner_lr,
        nodes=[source.cast.name_of(as_address(n.node)) for n in current.nodes],
        lapsed=[source.cast.name_of(as_address(n.node)) for n in current.nodes if n.lapsed],
        theta=current.merge.theta if current.merge else None,
        held_out_loss=losses[len(losses) // 2] / 10**9 if losses else None,
    )


def _checks(source: Source, findings: Findings) -> dict[str, bool]:
    chain = findings.chain
    cast = source.cast
    lines = source.client.read(Payouts, f"/epochs/{findings.epoch.epoch}/payouts").payouts
    paid = {line.account: int(line.amount) for line in lines}
    minted = {
        account.removeprefix("minted:"): int(units)
        for account, units in source.client.read(dict[str, str], "/balances/units").items()
        if account.startswith("minted:")
    }
    on_chain = {cast.address(wallet(as_address(n))): int(u) for n, u in chain.balances.items() if int(u)}
    cheat = next(node for node in findings.nodes if node.name == CHEAT)
    by_number = {r.round: r for r in findings.rounds}
    last = len(findings.rounds)
    changed = [proof for proof in findings.verdicts if proof.round == last]
    return {
        "every wallet holds what the ledger paid it": on_chain == paid == minted,
        "supply is the sum of claims and the epoch's total": int(chain.supply)
        == sum(minted.values())
        == int(findings.epoch.total)
        == int(chain.epoch_total),
        "the root on the chain is the one in the log": chain.epoch_final and chain.epoch_root == findings.epoch.root,
        "the bench voided the cheat every time, and it holds nothing": cheat.verified_steps == 0
        and cheat.voided_steps > 0
        and cheat.units == "0"
        and all(proof.is_decided_by_k() for proof in findings.verdicts if proof.node == CHEAT),
        "the joiner worked from round 2 on": JOINER not in by_number[1].nodes and JOINER in by_number[2].nodes,
        "the killed node cost round 3 nothing but its own work": KILLED in by_number[3].lapsed
        and by_number[3].held_out_loss is not None,
        "the API counts the votes as the Governor does": findings.tally.api == findings.tally.governor,
        "the next round trained with what was voted": by_number[last].config_digest != by_number[last - 1].config_digest
        and any(d.key == "inner_lr" and d.value == by_number[last].inner_lr for d in findings.decisions)
        and any(proof.state == ProofState.POSTED for proof in changed),
        "at least a quorum spoke on every proof": all(
            set(VERIFIERS) >= proof.speakers() and len(proof.speakers()) >= 2 for proof in findings.verdicts
        ),
    }
