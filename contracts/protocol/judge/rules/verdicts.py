"""How a proof ends: its pledge, and who is at fault (J8, J10, J13).

reading ── all cleared or true ──▶ spoken ── an honest pledge ──▶ posted
   ▲                                 ├── a pledge that names a segment which somebody drew
   └─────────────────────────────────┘
reading, spoken ── a void segment, openings withheld, a canary, no pledge ──▶ void ── pledge ──▶ ended
"""

from __future__ import annotations

from contracts.ids import Address, as_address
from contracts.protocol.audit_rate import AuditPolicy, ProofOutcome
from contracts.protocol.judge.entries import Fault, FaultDerived, PanelSpoken, Posted, Undecided, Voided
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime
from contracts.protocol.judge.facts import AT_FAULT, Awaited, Committed, PledgeOpened, Reason, TraceShown, What
from contracts.protocol.judge.held import proof_of
from contracts.protocol.judge.rules import labour, lapses
from contracts.protocol.judge.rules.full_bench import is_read
from contracts.protocol.judge.rules.presence import move_back, release
from contracts.protocol.judge.rules.seats import about, drawn_by, end_secrets, is_answered
from contracts.protocol.judge.state import ProofState, RoundState, RunState, Stage, State


def take_pledge(state: State, fact: PledgeOpened) -> None:
    """The node opens what it sealed, once the reading has ended. Raises Refused."""
    proof = proof_of(state, fact.proof)
    if proof.pledge is not None:
        raise AlreadySaid("the pledge is open")
    if proof.stage not in (Stage.SPOKEN, Stage.VOID):
        raise OutOfTime(f"proof {fact.proof} is {proof.stage}")
    if state.functions.seal_pledge(proof.commitment.node, fact.salt, fact.fake) != proof.commitment.pledge:
        raise NotBound("another pledge than was sealed")
    proof.pledge = fact
    lapses.end(state, proof, about(proof, What.PLEDGE, proof.commitment.node))
    segment = None if fact.fake is None else proof.segments.get(fact.fake)
    if segment is not None and proof.stage is Stage.SPOKEN:
        segment.questioned = True
        proof.stage = Stage.READING if segment.true is None else proof.stage
    state.touch(proof)


def lapse_pledge(state: State, proof: ProofState, period: int) -> None:
    """Without its pledge a proof is not posted, and nothing excuses a void one."""
    if period == 1:
        lapses.begin(state, proof, about(proof, What.PLEDGE, proof.commitment.node), 2)
    else:
        proof.pledge_lapsed = True
    state.touch(proof)


def due_end(proof: ProofState, current: RoundState) -> PanelSpoken | Voided | Posted | None:
    """The end that follows from the words on the proof, and then from its pledge."""
    name = proof.commitment.proof
    if proof.stage is Stage.READING:
        if proof.void is not None:
            return Voided(name, *proof.void)
        if not (is_answered(proof, current.k) and is_read(proof)):
            return None
        return PanelSpoken(name) if proof.pledge is None else Voided(name, Reason.CANARY, proof.pledge.fake)
    if proof.stage is not Stage.SPOKEN:
        return None
    if proof.pledge_lapsed:
        return Voided(name, Reason.PLEDGE_WITHHELD, None)
    if proof.pledge is None:
        return None
    if proof.pledge.fake is not None:
        return Voided(name, Reason.CANARY, proof.pledge.fake)
    return Posted(name, current.listed[proof.commitment.node].payout, proof.commitment.tokens)


def on_spoken(state: State, entry: PanelSpoken) -> None:
    """A post is certain but for the pledge: the node has two periods to open it."""
    proof = state.proofs[entry.proof]
    lapses.end_all(state, proof, keep=_kept(proof))
    proof.stage = Stage.SPOKEN
    lapses.begin(state, proof, about(proof, What.PLEDGE, proof.commitment.node))
    state.touch(proof)


def on_voided(state: State, entry: Voided) -> None:
    """The reading ends; the pledge is awaited where it is not known, and the seats show their traces."""
    proof = state.proofs[entry.proof]
    lapses.end_all(state, proof, keep=_kept(proof))
    proof.stage = Stage.VOID
    proof.void = (entry.reason, entry.segment)
    end_secrets(state, state.round_of(proof))
    _set_back(state, proof)
    if proof.pledge is None and not proof.pledge_lapsed:
        lapses.begin(state, proof, about(proof, What.PLEDGE, proof.commitment.node))
    _await_traces(state, proof)
    state.touch(proof)


def on_posted(state: State, entry: Posted) -> None:
    """The work counts in the epoch that closes next."""
    proof = state.proofs[entry.proof]
    run = state.runs[proof.commitment.run]
    node = proof.commitment.node
    lapses.end_all(state, proof, keep=_kept(proof))
    proof.stage = Stage.POSTED
    proof.ended_at = state.size - 1
    earned = run.earned.setdefault(0, {})
    earned[entry.account] = earned.get(entry.account, 0) + entry.tokens
    labour.note_posted(state, run, proof, entry.account, entry.tokens)
    if proof.commitment.round <= run.paid:
        late = run.late.setdefault(state.round_of(proof).config, {})
        late[entry.account] = late.get(entry.account, 0) + entry.tokens
    run.unsettled = True
    outcome = ProofOutcome.POSTED if proof.audited else ProofOutcome.UNAUDITED
    member = run.nodes[node]
    if member.enrolled.profile == proof.commitment.profile:
        member.record = member.record.after(outcome, AuditPolicy(run.created.terms.audit_floor))
    release(state, proof)
    _await_traces(state, proof)
    state.touch(proof)


def due_node_fault(state: State, proof: ProofState) -> FaultDerived | None:
    """Once the pledge is open or twice lapsed: whether the void is the node's fault (J13)."""
    if proof.stage is not Stage.VOID or (proof.pledge is None and not proof.pledge_lapsed):
        return None
    assert proof.void is not None, "a void proof has a reason"
    reason, segment = proof.void
    fake = proof.pledge.fake if proof.pledge is not None else None
    at_fault = reason in AT_FAULT
    if fake is not None and fake == segment:
        at_fault = not _is_excused(state, proof)
        reason = _of_a_canary(reason, at_fault)
    return FaultDerived(
        proof.commitment.proof, proof.commitment.node, at_fault, reason, at_fault and proof.reserved > 0
    )


def _of_a_canary(reason: Reason, at_fault: bool) -> Reason:
    """Beyond the manifest's rate a canary is treated as what it is: a segment that does not replay (J13)."""
    if not at_fault:
        return Reason.CANARY
    return reason if reason in AT_FAULT else Reason.REPLAY


def _is_excused(state: State, proof: ProofState) -> bool:
    """Whether the node has a canary left in the window that the manifest gives."""
    commitment = proof.commitment
    run = state.runs[commitment.run]
    terms = run.created.terms
    recent = [n for n in run.nodes[commitment.node].canaries if n > commitment.round - terms.canary_window]
    return len(recent) < terms.canaries


def _excuse(run: RunState, commitment: Committed) -> None:
    """A canary within the manifest's rate keeps its node's place, and uses up one of those that the window allows."""
    member = run.nodes[commitment.node]
    first = commitment.round - run.created.terms.canary_window
    member.canaries = [*(number for number in member.canaries if number > first), commitment.round]
    member.delivered = commitment.round == run.round


def on_node_fault(state: State, entry: FaultDerived) -> None:
    """The proof has its end; what costs stake stays reserved until the slash is final."""
    proof = state.proofs[entry.proof]
    commitment = proof.commitment
    if entry.reason is Reason.CANARY and not entry.at_fault:
        _excuse(state.runs[commitment.run], commitment)
    if entry.costs_stake:
        state.slashes[entry.proof] = (commitment.node, proof.reserved)
        state.faults[entry.proof, entry.node, ""] = state.size - 1
        proof.reserved = 0
    release(state, proof)
    proof.stage = Stage.ENDED
    proof.ended_at = state.size - 1
    state.runs[commitment.run].unsettled = True
    state.touch(proof)


def on_undecided(state: State, entry: Undecided) -> None:
    """No pay and no stake; the record goes back to full audits like with all that was not posted."""
    proof = state.proofs[entry.proof]
    lapses.end_all(state, proof, keep=_kept(proof))
    proof.stage = Stage.UNDECIDED
    proof.ended_at = state.size - 1
    end_secrets(state, state.round_of(proof))
    _set_back(state, proof)
    release(state, proof)
    state.touch(proof)


def take_trace(state: State, fact: TraceShown) -> None:
    """The trace that a seat sealed with its words. Raises Refused."""
    proof = proof_of(state, fact.proof)
    sealed = proof.witnesses.get(fact.verifier)
    if sealed is None:
        raise NotSeated(f"{fact.verifier} sealed no trace")
    if proof.stage in (Stage.READING, Stage.SPOKEN):
        raise OutOfTime(f"proof {fact.proof} is {proof.stage}")
    if fact.verifier in proof.traces:
        raise AlreadySaid(f"{fact.verifier} has shown its trace")
    if state.functions.seal_trace(fact.verifier, fact.trace) != sealed:
        raise NotBound("another trace than was sealed")
    proof.traces[fact.verifier] = fact.trace
    lapses.end(state, proof, about(proof, What.TRACE, fact.verifier))
    _compare_traces(state, proof)
    state.touch(proof)


def lapse_trace(state: State, proof: ProofState, verifier: Address, period: int) -> None:
    """A trace that is not shown after a second period is withheld."""
    state.runs[proof.commitment.run].away[verifier] = state.size - 1
    if period == 1:
        lapses.begin(state, proof, about(proof, What.TRACE, verifier), 2)
    else:
        proof.found.append((verifier, Fault.TRACE_WITHHELD))
    state.touch(proof)


def _compare_traces(state: State, proof: ProofState) -> None:
    """k equal traces are right; without them nobody is called wrong."""
    k = state.round_of(proof).k
    traces = list(proof.traces.values())
    right = next((trace for trace in traces if traces.count(trace) >= k), None)
    for name, trace in proof.traces.items():
        if right is not None and trace != right and (name, Fault.WRONG_TRACE) not in proof.found:
            proof.found.append((name, Fault.WRONG_TRACE))


def _await_traces(state: State, proof: ProofState) -> None:
    for verifier in proof.witnesses:
        if verifier not in proof.traces:
            lapses.begin(state, proof, about(proof, What.TRACE, verifier))


def _kept(proof: ProofState) -> frozenset[Awaited]:
    """Awaits that go on in any case: words of verifiers that drew and fell silent, `unserved` after k said true."""
    return frozenset(
        awaited
        for awaited, pending in proof.awaits.items()
        if (
            awaited.what is What.WORDS
            and pending.period == 2
            and pending.items & drawn_by(proof, as_address(awaited.party))
        )
        or (awaited.what is What.SECOND_LOOK and proof.segments[int(awaited.party)].true)
    )


def _set_back(state: State, proof: ProofState) -> None:
    """Full audits again, and no place that is kept: a proof that was not posted delivered nothing."""
    run = state.runs[proof.commitment.run]
    member = run.nodes[proof.commitment.node]
    member.record = member.record.after(ProofOutcome.VOIDED, AuditPolicy(run.created.terms.audit_floor))
    member.delivered = False
    move_back(run, proof.commitment.node)
