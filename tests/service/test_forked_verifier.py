"""An operator that shows one verifier another log, once: it misses no duty, loses nothing, and the run ends paid.

One fork has a senseless entry behind the real log, which no machine takes; the other one a fact that every machine
takes, so that the verifier signs a head over it, and leaves it when it sees that two others stand elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.messages import for_log as messages
from contracts.messages.signatures import sign
from contracts.protocol.log.leaf import write
from contracts.protocol.log.operator import LogSigner
from contracts.protocol.log.signed import Envelope
from ledger.books import log
from tests.deployed import key_of, verifier_keys
from tests.service.forking import Fork
from tests.service.hostile import serving
from tests.service.stage import GENESIS, Stage, staged
from verifier.mirror.store.departures import Departure
from verifier.service.service import VerifierProcess

pytestmark = pytest.mark.integration
SENSELESS = b'{"kind":"nonsense"}'


class Play:
    """A run of one round; the fork is for the first verifier."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.verifiers: list[VerifierProcess] = []
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        stage.open_run(rounds=1, nodes=1)

    @property
    def victim(self) -> VerifierProcess:
        """Who is shown the fork."""
        return self.verifiers[0]

    def begin(self, api: str = "") -> None:
        """Everybody; the first verifier has that address of the server."""
        for number in range(3):
            self.begin_one(number, "" if number else api)
        self.stage.start("ada", self.stage.node("ada").take_part)

    def begin_one(self, number: int, api: str = "") -> None:
        """A verifier, for the first time or again."""
        process = self.stage.verifier(number, api)
        self.verifiers[number : number + 1] = [process]
        self.stage.start(f"verifier {number}", process.run)

    def leave(self, number: int) -> None:
        """A verifier ends, and its files are closed."""
        name = f"verifier {number}"
        self.stage.stop(name)
        self.stage.wait("its end", lambda: all(thread.name != name for thread in threading.enumerate()))

    def fork(self, extra: bytes, parts: Callable[[Sequence[str]], int]) -> Fork:
        """In front of the server."""
        return Fork(self.stage.app, self.entries, LogSigner.of(bytes(key_of("operator").key)), extra, parts)

    def wait_for(self, *texts: str) -> None:
        """An entry that has them all."""
        self.stage.wait(f"{texts} in the log", lambda: _has(self.entries(), texts), 300)

    def wait_for_the_end(self) -> None:
        """Of the run."""
        self.stage.wait("its end", lambda: self.stage.client.get(f"/runs/{self.stage.run}")["phase"] == "over", 500)

    def entries(self) -> list[str]:
        """The real log."""
        with self.stage.ledger.store.read() as session:
            return [entry.body for entry in log.bodies(session, 0, 100_000)]

    def enrolment(self) -> bytes:
        """A stranger's, which the machine takes at any time."""
        stage, stranger = self.stage, key_of("stranger")
        with stage.ledger.store.read() as session, stage.ledger.judge.view(session) as state:
            profile = bytes.fromhex(state.runs[stage.run].created.terms.profiles[0][2:])
        run = bytes.fromhex(stage.run[2:])
        enrolment = messages.Enrolment(run, stranger.address, stranger.address, 1, profile, 1)
        signature = sign(enrolment, stage.ledger.chain.domain, bytes(stranger.key))
        return write(Envelope(enrolment, (signature,), {})).encode()

    def check_paid(self) -> None:
        """The whole emission is owed, and every stake is whole."""
        stage = self.stage
        (epoch,) = stage.client.get("/epochs")
        assert (epoch["total"], epoch["state"]) == (str(10**21), "final")
        registry = VerifierRegistry(stage.ledger.chain.w3, stage.deployment.verifier_registry)
        assert [registry.stake_of(key.address) for key in verifier_keys()[:3]] == [GENESIS.min_stake] * 3
        assert not stage.client.get("/faults")


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    with staged(tmp_path) as stage:
        yield Play(stage)


def test_a_senseless_entry_shown_once_ends_no_verifier(play: Play) -> None:
    """Just when it has drawn, and owes its words."""
    drawn = ('"kind":"drawn"', verifier_keys()[0].address)
    fork = play.fork(SENSELESS, lambda real: len(real) if _has(real, drawn) else 0)
    with serving(fork) as api:
        play.begin(api)
        play.stage.wait("the fork", fork.shown.is_set, 300)
        play.wait_for_the_end()
        play.check_paid()
        found = [kept for kept in play.victim.mirror.copy.evidence.all() if isinstance(kept, Departure)]
        assert len(found) == 1
        assert play.victim.world.replica.failure is None


def test_a_well_formed_fork_shown_once_stops_no_time(play: Play) -> None:
    """After a restart, when the others are further: it signs a head that contradicts theirs, and goes over to them."""
    play.begin()
    play.wait_for('"kind":"commitment"')
    play.leave(0)
    known = len(play.entries())
    play.stage.wait("the others' heads", lambda: all(v.mirror.copy.signed > known for v in play.verifiers[1:]), 60)
    fork = play.fork(play.enrolment(), lambda _: known)
    with serving(fork) as api:
        play.begin_one(0, api)
        play.wait_for_the_end()
        play.check_paid()
        assert fork.shown.is_set()
        copy = play.victim.mirror.copy
        assert [left.size for left in copy.branches.left] == [known + 1]
        assert copy.evidence.pairs()


def _has(entries: Sequence[str], texts: Sequence[str]) -> bool:
    return any(all(text.lower() in entry.lower() for text in texts) for entry in entries)
