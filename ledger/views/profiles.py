"""The numerics profiles that a run admits: which verifiers read each, which nodes compute in it, and whether that is
enough for a node of it to take part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from contracts.ids import Address, RunId
from contracts.protocol.judge.rules.presence import is_read, judges, members
from contracts.protocol.judge.state import RunState, State
from contracts.protocol.run_config import RunConfig
from contracts.wire import runs as wire
from ledger.context import Ledger
from ledger.errors import NotFound

MOST = 500
"""Nodes of one profile that are listed, those that enrolled first; their number is always given."""


def admitted_profiles(ledger: Ledger, run: RunId) -> list[wire.ProfileLine]:
    """The profiles of a run's manifest in its order, by the machine at the end of the log. Raises NotFound."""
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        current = state.runs.get(run)
        if current is None:
            raise NotFound(f"no run {run}")
        counted, nodes = members(state, current), _nodes(current)
        return [_line(state, current, digest, counted, nodes[digest]) for digest in current.created.terms.profiles]


def _nodes(run: RunState) -> Mapping[str, list[Address]]:
    """By profile, in the order of their enrolment."""
    found = defaultdict[str, list[Address]](list)
    for name, node in run.nodes.items():
        if not node.left:
            found[node.enrolled.profile].append(name)
    return found


def _line(state: State, run: RunState, digest: str, counted: list[Address], nodes: list[Address]) -> wire.ProfileLine:
    return wire.ProfileLine(
        profile=digest,
        name=_name(run, digest),
        verifiers=sorted(_readers(run, digest, counted)),
        needed=max(0, 2 * state.k - 1),
        is_read=bool(state.k) and is_read(state, run, digest, counted, run.round + 1),
        nodes=sorted(nodes[:MOST]),
        count=len(nodes),
    )


def _name(run: RunState, digest: str) -> str:
    """The name of its arithmetic: that of the whole run, unless it is of several profiles."""
    config = RunConfig.from_json(run.config)
    return next((profile.name for profile in config.admitted if profile.digest == digest), config.profile)


def _readers(run: RunState, digest: str, counted: list[Address]) -> list[Address]:
    """By the rules, and in a run of one exact or portable profile, where the rules seat everybody, those anchored under
    it: a verifier of another one gives no verdict."""
    if run.created.terms.pairs is not None:
        return judges(run, counted, digest)
    return [name for name in counted if run.anchors[name][-1].profile == digest]
