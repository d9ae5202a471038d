"""Presence: verifiers that count, nodes that take part, and what of a stake is free (J4, J12, J14)."""

from __future__ import annotations

from contracts.ids import Address, RunId
from contracts.protocol.audit_rate import MILLION, AuditPolicy, AuditRecord
from contracts.protocol.judge.entries import Listed
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime, RunEnded, UnknownSubject
from contracts.protocol.judge.facts import Anchored, Enrolled, Left, Returned, RunCreated
from contracts.protocol.judge.rules.seats import come_back
from contracts.protocol.judge.state import NodeState, ProofState, RunState, State
from contracts.protocol.judge.terms import check_terms

MOST_ANCHORS = 4
"""Anchors of one verifier for rounds to come."""
MOST_AHEAD = 1_000
"""Rounds between an enrolment and its first one."""
MOST_CHANGES = 4
"""Changes of one node's place between two rounds: each is an entry of the log for ever."""
MOST_NEWCOMERS = 256
"""Nodes without a stake that join between two rounds: identities are free, entries are not."""
MOST_STAKELESS = 1_000
"""Nodes without a stake that one run remembers."""


def run_of(state: State, name: RunId) -> RunState:
    """The run. Raises UnknownSubject."""
    run = state.runs.get(name)
    if run is None:
        raise UnknownSubject(f"no run {name}")
    return run


def live_run(state: State, name: RunId) -> RunState:
    """The run, which goes on. Raises UnknownSubject and RunEnded."""
    run = run_of(state, name)
    if run.over:
        raise RunEnded(f"run {name} is over")
    return run


def take_run(state: State, fact: RunCreated) -> None:
    """A creator's nonce serves once, so that no two runs ask for one trajectory (J16). Raises Refused."""
    state.functions.check_creator(fact.creator)
    check_terms(fact.terms)
    key = (fact.creator, fact.nonce)
    if fact.run in state.runs or key in state.nonces:
        raise AlreadySaid(f"{fact.creator} has created a run with nonce {fact.nonce}")
    state.nonces.add(key)
    state.runs[fact.run] = RunState(fact, fact.config, fact.theta, fact.momentum)


def take_anchor(state: State, fact: Anchored) -> None:
    """An anchor names its first round, which is the next but one at the earliest, or between rounds the next (J6).

    An old one cannot be entered again: first rounds only rise. Raises Refused.
    """
    run = live_run(state, fact.run)
    verifier = state.verifiers.get(fact.verifier)
    if verifier is None or not verifier.admitted:
        raise NotSeated(f"{fact.verifier} is not on the chain's list")
    anchors = run.anchors.get(fact.verifier, [])
    earliest = max(run.round + (1 if run.merged == run.round else 2), anchors[-1].first + 1 if anchors else 0)
    if fact.first < earliest or fact.length < 1:
        raise OutOfTime(f"an anchor of {fact.verifier} counts from round {earliest} at the earliest")
    if anchors and anchors[-1].profile != fact.profile:
        raise NotBound(f"{fact.verifier} judges under profile {anchors[-1].profile} in this run")
    if run.created.terms.several and fact.profile not in run.created.terms.profiles:
        raise NotBound(f"profile {fact.profile} is not on the manifest's list, and reads none that is")
    ahead = [anchor for anchor in anchors if anchor.first > run.round]
    if len(ahead) >= MOST_ANCHORS:
        raise AlreadySaid(f"{fact.verifier} has {MOST_ANCHORS} anchors for rounds to come")
    current = [anchor for anchor in anchors if anchor.first <= run.round][-1:]
    run.anchors[fact.verifier] = [*current, *ahead, fact]
    state.touched_runs[fact.run] = None


def take_enrolment(state: State, fact: Enrolled) -> None:
    """A node joins, or joins again; under another profile its record starts anew. Raises Refused."""
    run = live_run(state, fact.run)
    if fact.profile not in run.created.terms.profiles:
        raise NotBound(f"profile {fact.profile} is not on the manifest's list")
    if fact.first_round > run.round + MOST_AHEAD:
        raise OutOfTime(f"a node joins at most {MOST_AHEAD} rounds ahead")
    member = run.nodes.get(fact.node)
    if member is None:
        _make_room(state, run, fact.node)
        run.newcomers += not _has_stake(state, run, fact.node)
        run.nodes[fact.node] = NodeState(fact, 0, run.created.inner, fact.sequence)
        move_back(run, fact.node)
    else:
        _check_change(member, fact.node, fact.sequence)
        same = member.enrolled.profile == fact.profile
        member.record = member.record if same else AuditRecord(owed=member.record.owed)
        member.enrolled = fact
        member.left = False
        member.away = None
        member.sequence = fact.sequence
    state.touched_runs[fact.run] = None


def take_leave(state: State, fact: Left) -> None:
    """A node leaves after the open round. Raises UnknownSubject and AlreadySaid."""
    run = run_of(state, fact.run)
    node = node_of(run, fact.node)
    _check_change(node, fact.node, fact.sequence)
    node.left = True
    node.sequence = fact.sequence
    move_back(run, fact.node)


def _check_change(member: NodeState, node: Address, sequence: int) -> None:
    """Of a node's messages about its place the newest counts, in whatever order they are entered, and a few a round."""
    if sequence <= member.sequence:
        raise AlreadySaid(f"{node} has said something newer than {sequence}")
    if member.changes >= MOST_CHANGES:
        raise OutOfTime(f"{node} has changed its place {MOST_CHANGES} times since the last round opened")
    member.changes += 1


def move_back(run: RunState, node: Address) -> None:
    """A node that joins, leaves, lapses or delivers nothing stands behind all the others without a stake."""
    run.places += 1
    run.nodes[node].place = run.places


def _make_room(state: State, run: RunState, node: Address) -> None:
    """Identities without a stake are free: a run remembers a stated number, and one that left or lapsed goes first."""
    if _has_stake(state, run, node):
        return
    if run.newcomers >= MOST_NEWCOMERS:
        raise OutOfTime(f"{MOST_NEWCOMERS} nodes without a stake joined since the last round opened; the next has room")
    stakeless = [name for name in run.nodes if not _has_stake(state, run, name)]
    if len(stakeless) < MOST_STAKELESS:
        return
    engaged = {name for current in run.rounds.values() for name in (*current.listed, *current.proofs)}
    removable = [n for n in stakeless if n not in engaged and (run.nodes[n].left or run.nodes[n].away is not None)]
    if not removable:
        raise NotSeated(f"the run has {MOST_STAKELESS} nodes without a stake; one with a stake is taken")
    del run.nodes[min(removable, key=lambda name: run.nodes[name].place)]


def _has_stake(state: State, run: RunState, node: Address) -> bool:
    """Whether its stake is as much as the run asks for: one wei is as good as none."""
    return state.stakes.get(node, 0) >= max(1, run.created.terms.node_stake)


def take_return(state: State, fact: Returned) -> None:
    """A party that lapsed is back once it signed a head that holds its lapse, and each proof awaits it once more.

    Raises OutOfTime.
    """
    run = run_of(state, fact.run)
    node = run.nodes.get(fact.party)
    since = run.away.get(fact.party, node.away if node is not None else None)
    if since is None or not since < fact.size < state.size:
        raise OutOfTime(f"{fact.party} has not lapsed, or its head does not hold the lapse")
    if run.away.pop(fact.party, None) is None:
        assert node is not None, "who lapsed is a verifier or a node"
        node.away = None
    for current in run.rounds.values():
        for name in current.closed:
            if name in state.proofs:
                come_back(state, state.proofs[name], fact.party)
    state.touched_runs[fact.run] = None


def node_of(run: RunState, name: Address) -> NodeState:
    """An enrolled node. Raises UnknownSubject."""
    node = run.nodes.get(name)
    if node is None:
        raise UnknownSubject(f"{name} is not enrolled")
    return node


def anchor_of(run: RunState, verifier: Address, number: int) -> Anchored | None:
    """The anchor that counts in a round; None without one that still has a secret."""
    anchors = [anchor for anchor in run.anchors.get(verifier, []) if anchor.first <= number]
    return anchors[-1] if anchors and number - anchors[-1].first < anchors[-1].length else None


def members(state: State, run: RunState) -> list[Address]:
    """Admitted, anchored, and staked, or below the least stake through a fault: these make n.

    A verifier without secrets left counts as well, and one whose anchor is for later rounds: else a verifier that does
    not renew them, or that was admitted a moment ago, would stop the run.
    """
    return [
        name
        for name, verifier in sorted(state.verifiers.items())
        if verifier.admitted and (verifier.stake >= state.least_stake or verifier.slashed) and run.anchors.get(name)
    ]


def speakers(state: State, run: RunState, counted: list[Address], number: int) -> list[Address]:
    """The members whose words count: those with their stake, and a secret for the round."""
    staked = (name for name in counted if state.verifiers[name].stake >= state.least_stake)
    return [name for name in staked if anchor_of(run, name, number) is not None]


def judges(run: RunState, verifiers: list[Address], profile: str) -> list[Address]:
    """The verifiers that can judge a profile: all, in a run with limits those with a calibrated pair, and in one of
    several profiles those whose bits are the same."""
    pairs = run.created.terms.pairs
    if pairs is None:
        return verifiers
    profiles = {name: run.anchors[name][-1].profile for name in verifiers if run.anchors.get(name)}
    return [name for name, judged in profiles.items() if (profile, judged) in pairs]


def is_read(state: State, run: RunState, profile: str, counted: list[Address], number: int) -> bool:
    """Whether enough of the `counted` members judge a profile in a round for a node of it to take part.

    Each profile of several has what the whole run needs: 2k - 1, of whom k speak and have not lapsed. So fewer than k
    corrupt ones decide nothing, though all of them chose one profile.
    """
    able = judges(run, counted, profile)
    if len(able) < 2 * state.k - 1:
        return False
    if not run.created.terms.several:
        return True
    return sum(name not in run.away for name in speakers(state, run, able, number)) >= state.k


def free_stake(state: State, node: Address) -> int:
    """The part of a node's stake that is not reserved for anything in flight, in wei (J14)."""
    return max(0, state.stakes.get(node, 0) - state.reserved.get(node, 0))


def release(state: State, proof: ProofState) -> None:
    """A proof ended without cost: the stake that was reserved for it is free again."""
    free(state, proof.commitment.node, proof.reserved)
    proof.reserved = 0


def reserve(state: State, node: Address, limit: int) -> int:
    """Reserve the free part of a node's stake, up to `limit` wei; returns how much."""
    amount = min(limit, free_stake(state, node))
    state.reserved[node] = state.reserved.get(node, 0) + amount
    return amount


def free(state: State, node: Address, amount: int) -> None:
    """Give a reserved amount free."""
    remaining = state.reserved.get(node, 0) - amount
    state.reserved[node] = remaining
    if remaining <= 0:
        del state.reserved[node]


def listing(state: State, run: RunState, number: int, verifiers: list[Address]) -> tuple[Listed, ...]:
    """The nodes that take part, in order: one that delivered last round keeps its place, then stake decides (J4)."""
    terms = run.created.terms
    enrolled = [(n, s) for n, s in run.nodes.items() if not s.left and s.enrolled.first_round <= number]
    profiles = {node.enrolled.profile for _, node in enrolled}
    read = {profile for profile in profiles if is_read(state, run, profile, verifiers, number)}
    able = [(n, s) for n, s in enrolled if s.enrolled.profile in read]
    able.sort(key=lambda x: (not x[1].delivered, x[1].away is not None, -free_stake(state, x[0]), x[1].place))
    return tuple(_listed(state, run, n, s) for n, s in sorted(able[: terms.max_nodes], key=lambda x: x[0].lower()))


def _listed(state: State, run: RunState, name: Address, node: NodeState) -> Listed:
    terms = run.created.terms
    stake = free_stake(state, name)
    trusted = terms.audit_floor < MILLION and stake >= terms.node_stake > 0
    rate = node.record.rate_ppm(AuditPolicy(terms.audit_floor)) if trusted else MILLION
    staked = min(stake, terms.node_stake) > 0
    return Listed(name, node.enrolled.payout, node.inner, node.enrolled.profile, rate, node.away is None, staked)
