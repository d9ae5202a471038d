"""A run as its renter sees it: proofs of the rented nodes, their verified tokens, whether the run goes on.

It is the server's word: by it machines are watched and replaced within the renter's budget, and nobody is paid.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from commonweight.market.calling.guarded import Later
from commonweight.market.errors import MarketError, ProviderAway
from contracts.amounts import COINS, amount
from contracts.ids import Address, as_address
from contracts.messages.fields import from_json
from contracts.messages.for_log import RunTerms
from contracts.wire.fields import AnswerMisfit
from contracts.wire.rounds import ProofLine
from contracts.wire.runs import Run
from contracts.wire.states import ProofState, RunPhase
from trainer.client import ApiClient, ApiUnreachable

PAGE, MOST_PAGES = 500, 10_000
RUN_SECONDS = 45.0
"""For one question: a server that answers slowly, or for ever, must not keep anybody from ending machines."""


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
        self._decided: dict[str, ProofLine] = {}
        self._first_open = 1
        self._lock = threading.Lock()

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
            self._first.setdefault(as_address(line.node), str(line.proof))

    def work(self) -> dict[Address, int]:
        """Verified tokens by node. Raises ApiProblem and ApiUnreachable."""
        found: dict[Address, int] = {}
        for line in self._posted():
            node = as_address(line.node)
            found[node] = found.get(node, 0) + int(line.work)
        return found

    def require_open(self) -> None:
        """Before anything is rented. Raises RunUnfit for a run that is over, or that asks a stake of each node: keys of
        rented machines have none, and a machine may be taken away while its work is judged. Raises ApiProblem and
        ApiUnreachable."""
        run = self._client.read(Run, f"/runs/{self._run}")
        if run.phase is RunPhase.OVER:
            raise RunUnfit("the run is over")
        stake = from_json(RunTerms, run.manifest).nodeStake
        if stake:
            raise RunUnfit(f"each node of this run stakes {amount(stake, COINS)}, and a rented machine's key has none")

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

    def _posted(self) -> Iterator[ProofLine]:
        """Posted proofs of all rounds, as they come. Rounds that another follows, and in which every proof is decided,
        are read once."""
        with self._lock:
            before, first = list(self._decided.values()), self._first_open
        yield from before
        lines: list[ProofLine] = []
        for line in self._lines_from(first):
            lines.append(line)
            if line.state is ProofState.POSTED:
                yield line
        with self._lock:
            self._remember(lines)

    def _remember(self, lines: list[ProofLine]) -> None:
        if not lines:
            return
        last = max(int(line.round) for line in lines)
        pending = [int(line.round) for line in lines if line.state is ProofState.PENDING]
        self._first_open = max(self._first_open, min([last, *pending]))
        done = [line for line in lines if line.state is ProofState.POSTED and int(line.round) < self._first_open]
        self._decided |= {str(line.proof): line for line in done}

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
