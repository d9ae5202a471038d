"""A run in its second round, in which everything that can be refused can be tried.

Round 1 is closed and epoch 1 awaits signatures. In round 2 the first node has trained and not committed; the second
has committed to `proof`, the first verifier has drawn, seen the openings and accepted it; the third node is silent.
A case returns the request as a thunk, so that what it had to upload first does not count as a change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from httpx import Response

from contracts.messages import Message
from tests.world import Place, Work, World, check_refused, hexed

Request = Callable[[], Response]
Case = Callable[["Stage"], Request]


class Stage:
    """The world and who stands where in it."""

    def __init__(self, folder: Path, place: Place, database: str | None = None) -> None:
        self.world = World(folder, place, nodes=3, database=database)
        self.world.__enter__()
        w = self.world.start()
        self.fresh, self.committed, self.silent = w.nodes
        self.first, self.second, self.third = w.verifiers
        self.old_proof = w.play_round()[self.fresh.address]
        self.proof = w.commit(self.committed)
        self.work, self.committed_work = w.train(self.fresh), w.train(self.committed)
        self.gradient = w.blob(self.work.gradient, self.fresh)
        self.segments = w.draw(self.first, self.proof)
        self.opened = w.open_wanted(self.proof, self.committed_work)
        w.judge(self.first, self.proof)
        w.mine()

    def sent(self, path: str, message: Message, key: LocalAccount, /, **beside: Any) -> Request:
        """The request that posts a signed message."""
        return lambda: self.world.post(path, message, key, **beside)

    def proof_of(self, work: Work | None = None, /, *, key: LocalAccount | None = None, **changes: Any) -> Request:
        """A StepProof of the fresh node's work with other fields."""
        chosen = work or self.work
        message = self.world.proof_message(chosen, **changes)
        return self.sent("/proofs", message, key or chosen.node, gradient_blob=self.gradient, **chosen.paths)

    def opening_of(self, boundary: int, path_of: int | None = None, /, **changes: Any) -> Request:
        """An opening of the committed proof, with the Merkle path of another boundary if so told."""
        opened = self.committed_work.trajectory.opening(boundary if path_of is None else path_of)
        message = self.world.opening_message(self.proof, self.committed_work, boundary)
        return self.sent(
            "/openings", replace(message, **changes), self.committed, path=[hexed(n) for n in opened.proof]
        )

    def challenge_by(self, verifier: LocalAccount, proof: str | None = None, **changes: Any) -> Request:
        """A draw for the committed proof."""
        return self.sent(
            "/challenges", self.world.challenge_message(verifier, proof or self.proof, **changes), verifier
        )

    def verdict_by(self, verifier: LocalAccount, outcome: int = 1, proof: str | None = None, **changes: Any) -> Request:
        """A verdict on the committed proof."""
        message = self.world.verdict_message(verifier, proof or self.proof, outcome, **changes)
        return self.sent("/verdicts", message, verifier)

    def enrolment_of(self, node: LocalAccount, *, key: LocalAccount | None = None, **changes: Any) -> Request:
        """An enrolment; by default with the next nonce."""
        message = self.world.enrolment_message(node, **{"nonce": 2, **changes})
        return self.sent(f"/runs/{self.world.run}/nodes", message, key or node, from_round=1)

    def post_json(self, path: str, body: Any) -> Request:
        """An unsigned body."""
        return lambda: self.world.client.post("/v1" + path, json=body)


def check_changes_nothing(world: World, request: Request, status: int, code: str) -> None:
    """The request is refused with a problem document, and every table, the log and the blobs stay as they were."""
    before = world.dump()
    check_refused(request(), status, code)
    assert world.dump() == before
