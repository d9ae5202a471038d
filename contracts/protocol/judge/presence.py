"""Who is there: verifiers that count, nodes that take part, and what of a stake is free (J4, J12, J14)."""

from __future__ import annotations

from contracts.audit_rate import MILLION, AuditPolicy, AuditRecord
from contracts.protocol.judge.entries import Listed
from contracts.protocol.judge.errors import AlreadySaid, NotBound, OutOfTime, RunEnded, UnknownSubject
from contracts.protocol.judge.facts import Anchored, Enrolled, Left, Returned, RunCreated
from contracts.protocol.judge.state import NodeState, ProofState, RunState, State


def run_of(state: State, name: str) -> RunState:
    """The run. Raises UnknownSubject."""
    found = state.runs.get(name)
    if found is None:
        raise UnknownSubject(f"no run {name}")
    return found


def live_run(state: State, name: str) -> RunState:
    """The run, which goes on. Raises UnknownSubject and RunEnded."""
    found = run_of(state, name)
    if found.over:
        raise RunEnded(f"run {name} is over")
    return found


def take_run(state: State, fact: RunCreated) -> None:
    """A creator's nonce serves once, so that no two runs ask for one trajectory (J16). Raises AlreadySaid."""
    key = (fact.creator, fact.nonce)
    if fact.run in state.runs or key in state.nonces:
        raise AlreadySaid(f"{fact.creator} has created a run with nonce {fact.nonce}")
    state.nonces.add(key)
    state.runs[fact.run] = RunState(fact, fact.config, fact.theta, fact.momentum)


def take_anchor(state: State, fact: Anchored) -> None:
    """A new anchor counts from the next round but one; a first one, before any round, from the first (J6)."""
    run = live_run(state, fact.run)
    known = run.anchors.setdefault(fact.verifier, [])
    start = run.round + (2 if run.round else 1)
    run.anchors[fact.verifier] = [*[entry for entry in known if entry[0] < start][-1:], (start, fact)]
    state.touched_runs[fact.run] = None


def take_enrolment(state: State, fact: Enrolled) -> None:
    """A node joins, or joins again; under another profile its record starts anew. Raises RunEnded and NotBound."""
    run = live_run(state, fact.run)
    if fact.profile not in run.created.terms.profiles:
        raise NotBound(f"profile {fact.profile} is not on the manifest's list")
    known = run.nodes.get(fact.node)
    if known is None:
        run.nodes[fact.node] = NodeState(fact, len(run.nodes), run.created.inner)
    else:
        known.record = known.record if known.enrolled.profile == fact.profile else AuditRecord()
        known.enrolled, known.left, known.away = fact, False, None
    state.touched_runs[fact.run] = None


def take_leave(state: State, fact: Left) -> None:
    """A node leaves after the open round. Raises UnknownSubject."""
    node_of(run_of(state, fact.run), fact.node).left = True


def take_return(state: State, fact: Returned) -> None:
    """Who lapsed is back once it signed a head that holds its lapse. Raises OutOfTime."""
    run = run_of(state, fact.run)
    node = run.nodes.get(fact.party)
    since = run.away.get(fact.party, node.away if node is not None else None)
    if since is None or not since < fact.size < state.size:
        raise OutOfTime(f"{fact.party} has not lapsed, or its head does not hold the lapse")
    if run.away.pop(fact.party, None) is None and node is not None:
        node.away = None
    state.touched_runs[fact.run] = None


def node_of(run: RunState, name: str) -> NodeState:
    """An enrolled node. Raises UnknownSubject."""
    found = run.nodes.get(name)
    if found is None:
        raise UnknownSubject(f"{name} is not enrolled")
    return found


def anchor_of(run: RunState, verifier: str, number: int) -> tuple[int, Anchored] | None:
    """The anchor that counts in a round, with its first round; None without one that still has a secret."""
    known = [entry for entry in run.anchors.get(verifier, []) if entry[0] <= number]
    return known[-1] if known and number - known[-1][0] < known[-1][1].length else None


def members(state: State, run: RunState, number: int) -> list[str]:
    """Admitted, anchored, and staked, or below the least stake through a fault: these make n."""
    return [
        name
        for name, verifier in sorted(state.verifiers.items())
        if verifier.admitted
        and (verifier.stake >= state.least_stake or verifier.slashed)
        and anchor_of(run, name, number) is not None
    ]


def speakers(state: State, counted: list[str]) -> list[str]:
    """The members whose words count: those with their stake."""
    return [name for name in counted if state.verifiers[name].stake >= state.least_stake]


def judges(run: RunState, verifiers: list[str], profile: str, number: int) -> list[str]:
    """The verifiers that can judge a profile: all, or in a run with limits those with a calibrated pair."""
    pairs = run.created.terms.pairs
    if pairs is None:
        return verifiers
    anchors = {name: anchor_of(run, name, number) for name in verifiers}
    return [name for name, anchor in anchors.items() if anchor and (profile, anchor[1].profile) in pairs]


def free_stake(state: State, node: str) -> int:
    """What of a node's stake is not reserved for anything in flight, in wei (J14)."""
    return max(0, state.stakes.get(node, 0) - state.reserved.get(node, 0))


def release(state: State, proof: ProofState) -> None:
    """A proof ended without cost: what was reserved for it is free again."""
    free(state, proof.commitment.node, proof.reserved)
    proof.reserved = 0


def reserve(state: State, node: str, wanted: int) -> int:
    """Reserve what is free of a node's stake, up to `wanted` wei; returns how much."""
    amount = min(wanted, free_stake(state, node))
    state.reserved[node] = state.reserved.get(node, 0) + amount
    return amount


def free(state: State, node: str, amount: int) -> None:
    """Give a reserved amount free."""
    left = state.reserved.get(node, 0) - amount
    state.reserved[node] = left
    if left <= 0:
        del state.reserved[node]


def listing(state: State, run: RunState, number: int, verifiers: list[str]) -> tuple[Listed, ...]:
    """Who takes part, in order of node: who delivered last round keeps its place, then stake decides (J4)."""
    terms = run.created.terms
    due = [(n, s) for n, s in run.nodes.items() if not s.left and s.enrolled.first_round <= number]
    able = [(n, s) for n, s in due if len(judges(run, verifiers, s.enrolled.profile, number)) >= 2 * state.k - 1]
    able.sort(key=lambda x: (not x[1].delivered, x[1].away is not None, -free_stake(state, x[0]), x[1].place))
    return tuple(_listed(state, run, n, s) for n, s in sorted(able[: terms.max_nodes], key=lambda x: x[0].lower()))


def _listed(state: State, run: RunState, name: str, node: NodeState) -> Listed:
    terms, stake = run.created.terms, free_stake(state, name)
    trusted = terms.audit_floor < MILLION and stake >= terms.node_stake
    rate = node.record.rate_ppm(AuditPolicy(terms.audit_floor)) if trusted else MILLION
    staked = min(stake, terms.node_stake) > 0
    return Listed(name, node.enrolled.payout, node.inner, node.enrolled.profile, rate, node.away is None, staked)
