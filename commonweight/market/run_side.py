"""A run as its renter sees it: proofs of the rented nodes, their verified tokens, whether the run goes on.

It is the server's word: by it machines are watched and replaced within the renter's budget, and nobody is paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from commonweight.market.errors import MarketError
from contracts.amounts import COINS, amount
from contracts.ids import Address, as_address
from contracts.wire.rounds import ProofLine
from contracts.wire.states import ProofState, RunPhase
from trainer.client import ApiClient, ApiUnreachable

PAGE = 500


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

    def first_proofs(self, nodes: Sequence[Address]) -> Mapping[Address, str]:
        """The first posted proof of each of these nodes that has one."""
        try:
            for line in self._posted():
                self._first.setdefault(as_address(line.node), str(line.proof))
        except ApiUnreachable:
            pass
        return {node: self._first[node] for node in nodes if node in self._first}

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
        document = self._client.get(f"/runs/{self._run}")
        if document["phase"] == RunPhase.OVER:
            raise RunUnfit("the run is over")
        stake = int(document["manifest"]["nodeStake"])
        if stake:
            raise RunUnfit(f"each node of this run stakes {amount(stake, COINS)}, and a rented machine's key has none")

    def is_over(self) -> bool:
        """Whether the run takes no more work."""
        if not self._is_over:
            try:
                self._is_over = self._client.get(f"/runs/{self._run}")["phase"] == RunPhase.OVER
            except ApiUnreachable:
                return False
        return self._is_over

    def _posted(self) -> Iterator[ProofLine]:
        first, after = 1, ""
        while True:
            lines = self._client.read_list(ProofLine, f"/runs/{self._run}/proofs", first=first, after=after, limit=PAGE)
            yield from (line for line in lines if line.state is ProofState.POSTED)
            if len(lines) < PAGE:
                return
            first, after = int(lines[-1].round), str(lines[-1].proof)
