"""A run as its renter sees it: proofs of the rented nodes, their verified tokens, whether the run goes on.

It is the server's word: by it machines are watched and replaced within the renter's budget, and nobody is paid.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

from commonweight.market.calling.guarded import Later
from commonweight.market.errors import MarketError, ProviderAway
from contracts.amounts import COINS, amount
from contracts.ids import Address, as_address, to_hex
from contracts.messages.fields import from_json
from contracts.messages.for_log import RunTerms
from contracts.messages.signatures import digest
from contracts.wire.fields import PAGE as NODES_PAGE
from contracts.wire.fields import AnswerMisfit
from contracts.wire.rounds import ProofLine
from contracts.wire.runs import NodeLine, Run
from contracts.wire.states import ProofState, RunPhase
from trainer.client import ApiClient, ApiUnreachable

PAGE, MOST_PAGES = 500, 2_000
"""A million proofs since the first round that is open: a server that lists more would fill this machine's memory, and
leave rented machines to nobody."""
MOST_NODE_PAGES, PAID_SECONDS = 100, 300.0
"""The list of nodes is read anew after so long."""
RUN_SECONDS = 45.0
"""For one question: a server that answers slowly, or for ever, must not keep anybody from ending machines."""


class _Proof(NamedTuple):
    """What counts of a line of the list: a tenth of its size."""

    proof: str
    node: Address
    work: int
    round: int
    is_posted: bool
    is_pending: bool


class RunUnfit(MarketError):
    """A run that rented machines cannot work in."""

    code = "run-unfit"


class RunSide:
    """One run at one server. Answers of before stand while the server is away."""

    def __init__(self, api: str, run: str, client: ApiClient | None = None) -> None:
        self._client = client or ApiClient(api)
        self._run = run
        self._first: dict[Address, str] = {}
        self._is_over = False
        self._reading: Later[None] | None = None
        self._decided: dict[str, _Proof] = {}
        self._first_open = 1
        self._lock = threading.Lock()
        self._paid: Mapping[Address, Address] = {}
        self._paid_at: float | None = None

    def first_proofs(self, nodes: Sequence[Address]) -> Mapping[Address, str]:
        """The first posted proof of each node that has one. Raises ApiProblem, ApiUnreachable, ProviderAway and
        AnswerMisfit where the server does not tell all of it in time: then a proof that is missing means nothing."""
        if not all(node in self._first for node in nodes):
            if self._reading is None or not self._reading.is_at_work:
                self._reading = Later(self._note_proofs, "the run's list of proofs")
            self._reading.take(RUN_SECONDS)
        return {node: self._first[node] for node in nodes if node in self._first}

    def _note_proofs(self) -> None:
        for line in self._posted():
            self._first.setdefault(line.node, line.proof)

    def work(self) -> dict[Address, int]:
        """Verified tokens by node. Raises ApiProblem and ApiUnreachable."""
        found: dict[Address, int] = {}
        for line in self._posted():
            found[line.node] = found.get(line.node, 0) + line.work
        return found

    def diverted(self, nodes: Collection[Address], payout: Address) -> Mapping[Address, Address]:
        """Those of these nodes that are enrolled for the pay of another than `payout`, with that one: a host has the
        keys of its nodes, and can enrol them anew. Raises ApiProblem, ApiUnreachable, ProviderAway, AnswerMisfit."""
        if self._paid_at is None or monotonic() - self._paid_at > PAID_SECONDS:
            lines = Later(self._node_lines, "the run's list of nodes").take(RUN_SECONDS)
            self._paid = {as_address(line.node): as_address(line.payout) for line in lines}
            self._paid_at = monotonic()
        return {node: self._paid[node] for node in nodes if self._paid.get(node, payout) != payout}

    def _node_lines(self) -> list[NodeLine]:
        found: list[NodeLine] = []
        after = ""
        for _ in range(MOST_NODE_PAGES):
            page = self._client.read_list(NodeLine, f"/runs/{self._run}/nodes", after=after, limit=NODES_PAGE)
            found += page
            if len(page) < NODES_PAGE or str(page[-1].node) <= after:
                return found
            after = str(page[-1].node)
        raise ApiUnreachable(f"the list of nodes of run {self._run} has no end")

    def require_open(self) -> None:
        """Before anything is rented. Raises RunUnfit for a run that is over, or that asks a stake of each node: keys of
        rented machines have none, and a machine may be taken away while its work is judged. The terms are those whose
        digest is the run's id: others, by a server that lies, would have machines rented that can join nothing. Raises
        ApiProblem and ApiUnreachable."""
        run = self._client.read(Run, f"/runs/{self._run}")
        if run.phase is RunPhase.OVER:
            raise RunUnfit("the run is over")
        terms = from_json(RunTerms, run.manifest)
        if to_hex(digest(terms, self._client.domain)) != self._run:
            raise RunUnfit("the server shows other terms than those that the run's id names")
        if terms.nodeStake:
            asked = amount(terms.nodeStake, COINS)
            raise RunUnfit(f"each node of this run stakes {asked}, and a rented machine's key has none")

    def is_over(self) -> bool:
        """Whether the run takes no more work; not while the server is away. Raises ApiProblem and AnswerMisfit."""
        if not self._is_over:
            try:
                answer = Later(lambda: self._client.get(f"/runs/{self._run}"), "the run").take(RUN_SECONDS)
            except (ApiUnreachable, ProviderAway):
                return False
            if not isinstance(answer, Mapping) or "phase" not in answer:
                raise AnswerMisfit("the server's answer about the run names no phase")
            self._is_over = answer["phase"] == RunPhase.OVER
        return self._is_over

    def _posted(self) -> Iterator[_Proof]:
        """Posted proofs of all rounds, as they come. Rounds that another follows, and in which every proof is decided,
        are read once."""
        with self._lock:
            before, first = list(self._decided.values()), self._first_open
        yield from before
        lines: list[_Proof] = []
        for line in map(_proof, self._lines_from(first)):
            lines.append(line)
            if line.is_posted:
                yield line
        with self._lock:
            self._remember(lines)

    def _remember(self, lines: list[_Proof]) -> None:
        if not lines:
            return
        last = max(line.round for line in lines)
        pending = [line.round for line in lines if line.is_pending]
        self._first_open = max(self._first_open, min([last, *pending]))
        self._decided |= {line.proof: line for line in lines if line.is_posted and line.round < self._first_open}

    def _lines_from(self, first_round: int) -> Iterator[ProofLine]:
        after, seen = (first_round, ""), set[tuple[int, str]]()
        while after not in seen and len(seen) < MOST_PAGES:
            seen.add(after)
            first, proof = after
            lines = self._client.read_list(ProofLine, f"/runs/{self._run}/proofs", first=first, after=proof, limit=PAGE)
            yield from lines
            if len(lines) < PAGE:
                return
            after = int(lines[-1].round), str(lines[-1].proof)
        raise ApiUnreachable(f"the list of proofs of run {self._run} has no end")


def _proof(line: ProofLine) -> _Proof:
    state = line.state
    node, number = as_address(line.node), int(line.round)
    return _Proof(
        str(line.proof), node, int(line.work), number, state is ProofState.POSTED, state is ProofState.PENDING
    )
