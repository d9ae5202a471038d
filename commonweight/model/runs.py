"""A run for people: its state, its nodes and verifiers, the awaited messages and since when, and the next command.

All of it is the server's word, to look at: nodes and verifiers follow the log themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.ids import RunId
from contracts.process.outage import duration
from contracts.protocol.judge.facts import What
from contracts.wire.fields import Object
from contracts.wire.rounds import Round
from contracts.wire.runs import NodeLine, ProfileLine, Run, RunLine, Waiting
from contracts.wire.states import ProofStage, ProofState, RoundPhase, RunPhase
from trainer.client import ApiClient, ApiProblem

Document = Mapping[str, Any]
PAGE = 100

PHASES = {
    RunPhase.ENROLLING: "enrols nodes; its first round is not open yet",
    RunPhase.TRAINING: "trains",
    RunPhase.BETWEEN_ROUNDS: "is between rounds; the newest round is merged",
    RunPhase.OVER: "is over",
}
ROUND_PHASES: dict[str, str] = {
    RoundPhase.TRAINING: "nodes train and commit",
    RoundPhase.VERIFYING: "all nodes have committed or lapsed; verifiers draw and replay segments",
    RoundPhase.MERGING: "all proofs are decided; verifiers merge",
    RoundPhase.CLOSED: "merged",
}
PROOF_STAGES: dict[str, str] = {
    ProofStage.COMMITTED: "committed; its panel is not drawn yet",
    ProofStage.SPARED: "outside the sample; nobody audits it",
    ProofStage.READING: "verifiers replay the segments that they drew",
    ProofStage.BENCH: "a segment is questioned; all verifiers of the round read it",
    ProofStage.SPOKEN: "all verdicts are in; the node's pledge is due",
    ProofStage.VOID: "voided; the node's pledge is due",
    ProofStage.ENDED: "voided",
    ProofStage.POSTED: "accepted; its epoch pays it",
}
WHATS: dict[str, str] = {
    What.COMMITMENT: "the commitment",
    What.SEEN: "enough verifiers' signatures that they saw the round close",
    What.SECRET: "the secret",
    What.OPENINGS: "the openings of drawn states",
    What.WORDS: "the verdicts",
    What.SECOND_LOOK: "a second look at segment",
    What.PLEDGE: "the pledge",
    What.TRACE: "the trace of the common segment",
}


def all_runs(client: ApiClient) -> Iterator[Document]:
    """Every run, page by page."""
    after = ""
    while rows := client.read_list(RunLine, "/runs", after=after, limit=PAGE):
        yield from (row.to_json() for row in rows)
        after = rows[-1].run


def run_lines(rows: Sequence[Document]) -> Iterator[str]:
    """A line a run."""
    for row in rows:
        yield f"{row['run']}  round {row['round']}  {PHASES[row['phase']]}"
    if not rows:
        yield "the model has no run yet; `commonweight model train` opens one"


def read_run(client: ApiClient, run: RunId) -> Object:
    """The run, its first nodes, its awaited messages, and its newest round, each as the server has it.

    Raises ApiProblem.
    """
    document = client.read(Run, f"/runs/{run}")
    waits = client.read(Waiting, f"/runs/{run}/waiting")
    nodes = client.read_list(NodeLine, f"/runs/{run}/nodes", limit=PAGE)
    profiles = client.read_list(ProfileLine, f"/runs/{run}/profiles")
    return {
        "run": document.to_json(),
        "nodes": [node.to_json() for node in nodes],
        "profiles": [profile.to_json() for profile in profiles],
        "waiting": waits.to_json(),
        "round": _round(client, run, document.round),
    }


def _round(client: ApiClient, run: RunId, number: int) -> Document | None:
    try:
        return client.read(Round, f"/runs/{run}/rounds/{number}").to_json() if number else None
    except ApiProblem as error:
        if error.code == "not-found":
            return None
        raise


def is_over(document: Document) -> bool:
    """Whether nothing of it can change: the run has ended, and nothing is awaited."""
    return document["run"]["phase"] == RunPhase.OVER and not document["waiting"]["count"]


def lines_of(document: Document) -> Iterator[str]:
    """Lines for people."""
    run = document["run"]
    yield f"run {run['run']}, by {run['creator']}"
    yield f"the run {PHASES[run['phase']]}"
    yield from _obstacles(document["waiting"], run)
    if document["round"] is not None:
        yield from _round_lines(document["round"])
    yield from _people(run, document["nodes"])
    yield from _profiles(document["profiles"])
    yield from _awaited(document["waiting"])
    yield from _next(run)


def _obstacles(waits: Document, run: Document) -> Iterator[str]:
    if run["phase"] not in (RunPhase.ENROLLING, RunPhase.BETWEEN_ROUNDS):
        return
    for obstacle in waits["obstacles"]:
        yield f"round {run['round'] + 1} does not open yet: {obstacle['text']}"


def _round_lines(current: Document) -> Iterator[str]:
    yield f"round {current['round']}: {ROUND_PHASES[current['phase']]}"
    committed = {proof["node"] for proof in current["proofs"]}
    for node in current["nodes"]:
        if node["node"] not in committed:
            is_open = current["phase"] == RoundPhase.TRAINING
            does = "lapsed" if node["lapsed"] else "trains" if is_open else "did not commit"
            yield f"  node {node['node']} {does}"
    for proof in current["proofs"]:
        yield f"  proof {proof['proof']} of {proof['node']}: {_proof(proof)}"


def _proof(proof: Document) -> str:
    if proof["state"] == ProofState.OUT:
        return "out: k verifiers did not have its gradient in time"
    if proof["state"] == ProofState.UNDECIDED:
        return "undecided: not enough verifiers gave equal verdicts"
    why = f" ({proof['reason']})" if proof["reason"] else ""
    return f"{PROOF_STAGES[proof['stage']]}{why}"


def _people(run: Document, nodes: Sequence[Document]) -> Iterator[str]:
    count = run["counts"]["nodes"]
    active = run["counts"]["active_nodes"]
    yield f"nodes: {active} enrolled, {count - active} left"
    for node in (node for node in nodes if node["active"]):
        yield f"  {node['node']} from round {node['from_round']}, payout {node['payout']}, profile {node['profile']}"
    if count > len(nodes):
        yield f"  {count - len(nodes)} more nodes are on further pages"
    yield f"verifiers with an anchor: {len(run['verifiers'])}"
    for verifier in run["verifiers"]:
        last = verifier["first_round"] + verifier["rounds"] - 1
        yield f"  {verifier['verifier']} rounds {verifier['first_round']} to {last}, profile {verifier['profile']}"


def _profiles(profiles: Sequence[Document]) -> Iterator[str]:
    """The profiles that the run admits, each with its readers and its nodes."""
    yield f"profiles that the run admits: {len(profiles)}"
    for profile in profiles:
        readers = profile["verifiers"]
        reading = "is read" if profile["is_read"] else "is not read by enough: its nodes take part in no round"
        yield f"  {profile['name']} {profile['profile']} {reading}; {len(readers)} verifiers of {profile['needed']}"
        yield from (f"    read by {verifier}" for verifier in readers)
        yield from (f"    used by {node}" for node in profile["nodes"])
        if profile["count"] > len(profile["nodes"]):
            yield f"    and by {profile['count'] - len(profile['nodes'])} more nodes"


def _awaited(waits: Document) -> Iterator[str]:
    yield f"awaited: {waits['count'] or 'nothing'}"
    for line in waits["awaited"]:
        yield f"  {_what(line)}{_since(line, waits['now'])}{_late(line)}"


def _what(line: Document) -> str:
    proof = f" for proof {line['proof']}" if line["proof"] else ""
    if line["what"] == "second-look":
        return f"{WHATS[What.SECOND_LOOK]} {line['party']}{proof}"
    party = f" of {line['party']}" if line["party"] else ""
    return f"{WHATS[line['what']]}{party} in round {line['round']}{proof}"


def _since(line: Document, now: int | None) -> str:
    if now is None or line["since"] is None:
        return f", since entry {line['since_entry']}"
    return f", for {duration(max(0, now - line['since']))} of chain time (entry {line['since_entry']})"


def _late(line: Document) -> str:
    period = ", in its second period" if line["period"] > 1 else ""
    return period + (f"; {len(line['late'])} verifiers signed that it is late" if line["late"] else "")


def _next(run: Document) -> Iterator[str]:
    """The command that goes on from here."""
    if run["phase"] == RunPhase.OVER:
        yield f"next: commonweight model lineage --run {run['run']} --round {run['round']}"
        yield "      commonweight wallet show ACCOUNT"
    else:
        yield f"take part: commonweight node --run {run['run']} --deployment FILE --keystore FILE --payout ADDRESS"
