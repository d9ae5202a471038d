"""Every cheat with its real work, against the real server: conducts commit and open, verifiers' own checks judge.

Nobody waits for anybody: what a node process would hand and a worker would compute is done where it is asked for, so
that one run has room for all cheats. The processes themselves are played in tests/service and beside this folder.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from blake3 import blake3
from eth_account.signers.local import LocalAccount
from fastapi.testclient import TestClient

from contracts.errors import CommonweightError
from contracts.ids import ProofId, to_hex
from contracts.messages import for_log as messages
from contracts.messages.signatures import sign
from contracts.mirrors.tickets import TO_SERVER, Tickets
from contracts.protocol.architecture import theta_layout
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.facts import What
from contracts.protocol.judge.rules.seats import owed
from contracts.protocol.judge.state import ProofState, Stage
from contracts.protocol.log.codec import parse
from contracts.protocol.log.signed import Envelope
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import inner_digest
from contracts.tensors.tensorfile import Tensors, state_digest, unpack
from ledger.books import journal
from tests.attacks.outsiders.script import Refused, Script
from tests.attacks.outsiders.served import key, service
from trainer import cheats
from trainer.canary import Canary
from trainer.conduct import Conduct, Made, RoundTask
from trainer.data.corpus import Corpus
from trainer.data.text import load_corpus
from trainer.model.state import initial_theta, start_tensors
from trainer.node.surroundings import Around, Published
from trainer.steps.determinism import configure_determinism
from trainer.steps.outer import zero_momentum
from trainer.steps.trajectory import Trajectory
from verifier.replay import asking
from verifier.replay.combining import combine
from verifier.replay.files import BytesMissing
from verifier.replay.holding import GradientRefused, check_gradient
from verifier.replay.replaying import Said, judge_segment
from verifier.replica.envelopes import Collected, envelope_of

HONEST = "honest"
RESTARTED = "honest, restarted once it had committed"
CANARY = "canary"
TINY: dict[str, Any] = {
    "steps": 8,
    "segment": 2,
    "batch": 4,
    "context": 16,
    "d_model": 16,
    "heads": 2,
    "layers": 1,
    "clip": "0.1",
}


@dataclass
class Actor:
    """One node: how it behaves, what it did in the newest round, and how that ended."""

    name: str
    account: LocalAccount
    conduct: Conduct
    job: RoundTask | None = None
    trajectory: Trajectory | None = None
    refused: list[str] = field(default_factory=list)
    """Codes, of what the server did not take."""
    end: str = ""
    view: dict[str, Any] | None = None
    """What people read of its newest proof."""


class Theatre(Script):
    """A run of two rounds in which nodes train."""

    def __init__(self, *about: Any, text: Path, cast: list[str], late: list[str], folder: Path) -> None:
        self.corpus: Corpus = load_corpus([text])
        self.folder, self.collected, self.published = folder, Collected.empty(), Published(about[0].domain)
        self.actors = {name: self._actor(name) for name in (*cast, *late)}
        self._late = late
        super().__init__(*about, nodes=0, rounds=2, panel=0, samples=4)

    def _actor(self, name: str) -> Actor:
        if name in (HONEST, RESTARTED):
            return Actor(name, key(f"actor {name}"), Conduct())
        conduct = Canary(1_000_000) if name == CANARY else cheats.conduct(name)
        return Actor(name, key(f"actor {name}"), conduct)

    def _create(self, changes: dict[str, Any]) -> None:
        self.config = RunConfig(**TINY, rounds=2, corpus_digest=self.corpus.digest)
        self.theta: Tensors = initial_theta(self.config)
        joiner, profile = start_tensors(self.theta, None), configure_determinism("exact").digest()
        self.profile = profile
        self._changes = vars(self.config)
        early = len(self.actors) - len(self._late)
        more = {
            "genesis": state_digest(self.theta),
            "momentum": state_digest(zero_momentum(self.theta)),
            "inner": inner_digest(joiner),
            "profiles": (profile,),
            "minNodes": early,
            "maxNodes": 100,
            "roundsPerEpoch": 2,
        }
        with patch("tests.contracts.protocol.log.signed_run.PROFILE", profile):
            super()._create({**changes, **more})
        for actor in self.actors.values():
            wallet = key(f"wallet of {actor.account.address}").address
            first = 2 if actor.name in self._late else 1
            self.send(messages.Enrolment(self.run, actor.account.address, wallet, first, profile, 1), actor.account)
        self.nodes = [actor.account for actor in self.actors.values()]

    def read(self) -> list[Derived]:
        """And keep what a verifier keeps."""
        first = len(self.leaves)
        found = super().read()
        for text in self.leaves[first:]:
            self.published.take(text)
            message = envelope_of(parse(text), self.service.domain)
            if message is not None:
                self.collected.add(self.state, message[0].message, message[1])
        return found

    # -- nodes --------------------------------------------------------------------------------------------------------

    def perform(self, actor: Actor) -> None:
        """Train, and hand in what the conduct commits to. What is refused is noted."""
        actor.job = self._job(actor)
        try:
            actor.trajectory = actor.conduct.work(actor.job, lambda *_: None, None)
            for made in actor.conduct.commitments(actor.job, actor.trajectory):
                self._commit(actor, made)
        except CommonweightError as error:
            actor.refused.append(error.code)
        if actor.name == RESTARTED:
            actor.trajectory = actor.conduct.work(actor.job, lambda *_: None, None)

    def _commit(self, actor: Actor, made: Made) -> None:
        domain = made.domain or self.service.domain
        paths = {name: [to_hex(n) for n in getattr(made, name)] for name in ("first_path", "last_path")}
        envelope = Envelope(made.message, (sign(made.message, domain, bytes(actor.account.key)),), paths)
        try:
            self.add(envelope)
            self._put(actor.account, made.gradient)
        except Refused as refused:
            actor.refused.append(refused.code)

    def _put(self, account: LocalAccount, data: bytes) -> None:
        name = blake3(data).hexdigest()
        ticket = Tickets(account, self.service.domain).headers(name, TO_SERVER)
        answer = self.client.put(f"/v1/blobs/{name}", content=data, headers=ticket)
        if answer.status_code >= 300:
            raise Refused(answer)

    def _job(self, actor: Actor) -> RoundTask:
        blobs = {state: list(names) for state, names in self.collected.blobs.items()}
        log = SimpleNamespace(lock=threading.RLock(), state=self.state, gleaned=SimpleNamespace(blobs=blobs))
        secret = to_hex(bytes(actor.account.key))
        around = Around(secret, self.service.domain, lambda: log, self.published, self._fetch)  # type: ignore[arg-type,return-value]
        view = around.view(self.state, self.round)
        before = actor.trajectory.end_state if actor.trajectory is not None else None
        return RoundTask(around, view, self.config, lambda: self.corpus, start_tensors(self.theta, before))

    def _fetch(self, name: str, most: int) -> bytes | None:
        answer = self.client.get(f"/v1/blobs/{name}")
        return answer.content if answer.status_code == 200 else None

    def _open(self, actor: Actor, proof: ProofState) -> None:
        asked = sorted({side for segment in proof.segments for side in (segment, segment + 1)} - proof.opened)
        assert actor.job is not None
        assert actor.trajectory is not None
        for shown in actor.conduct.openings(actor.job, actor.trajectory, asked):
            name = bytes.fromhex(proof.commitment.proof[2:])
            message = messages.StateOpening(
                name,
                shown.boundary,
                shown.entry[:32],
                shown.entry[32:],
                blake3(shown.packed).digest(),
                len(shown.packed),
            )
            try:
                self.send(message, actor.account, path=[to_hex(node) for node in shown.path])
                self._put(actor.account, shown.packed)
            except Refused as refused:
                actor.refused.append(refused.code)

    # -- verifiers ----------------------------------------------------------------------------------------------------

    def bytes_of(self, name: str) -> bytes:
        """As workers read them: hashed before they are used. Raises BytesMissing."""
        data = self._fetch(name, 0)
        if data is None:
            raise BytesMissing([name])
        assert blake3(data).hexdigest() == name
        return data

    def hold(self) -> None:
        """Each verifier says `Has` of what stands its check; whoever has not k of them is missed."""
        held = [name for name in self.round.proofs.values() if self._is_held(name)]
        for verifier in self.verifiers:
            names = tuple(bytes.fromhex(name[2:]) for name in held)
            self.send(messages.Has(self.run, self.round.number, verifier.address, names), verifier)
        for awaited in [awaited for awaited in self.round.awaits if awaited.what is What.COMMITMENT]:
            self.lapse(awaited)

    def _is_held(self, name: ProofId) -> bool:
        try:
            check_gradient(asking.held(self.state, self.collected, name), _Files(self))
        except (GradientRefused, BytesMissing):
            return False
        return True

    def _closed(self) -> list[tuple[Actor, str]]:
        """Who is in the closing entry, in the order of the cast: whoever is copied opens first."""
        found = [(actor, self.round.proofs.get(actor.account.address, "")) for actor in self.actors.values()]
        return [(actor, name) for actor, name in found if name in self.round.closed]

    def _judge(self, actor: Actor, proof: ProofState) -> None:
        """What is not opened is missed; then words and the pledge, until the proof has its end."""
        self._missed(proof, What.OPENINGS)
        for _ in range(2):
            for verifier in self.verifiers:
                self._say(proof, verifier)
        assert actor.job is not None
        pledge = actor.conduct.pledge(actor.job)
        if proof.stage in (Stage.SPOKEN, Stage.VOID):
            name = bytes.fromhex(proof.commitment.proof[2:])
            self.send(messages.PledgeReveal(name, pledge.salt, pledge.fake), actor.account)
        if proof.stage is Stage.READING:  # the pledge named what was drawn
            for verifier in self.verifiers:
                self._say(proof, verifier)

    def _missed(self, proof: ProofState, what: What) -> None:
        """Both periods pass for whatever did not come."""
        for _ in range(2):
            for awaited in [awaited for awaited in proof.awaits if awaited.what is what]:
                if awaited in proof.awaits:
                    self.lapse(awaited)

    def _say(self, proof: ProofState, verifier: LocalAccount) -> None:
        if proof.stage is not Stage.READING:
            return
        said = [self._word(proof.commitment.proof, segment) for segment in owed(proof, verifier.address)]
        if not said:
            return
        words = tuple(messages.SegmentVerdict(s.segment, s.word, s.reason, s.measured, s.limit) for s in said)
        trace = next((s.trace for s in said if s.trace), "")
        witness = bytes.fromhex(self.functions.seal_trace(verifier.address, trace)[2:]) if trace else b"\0" * 32
        name = bytes.fromhex(proof.commitment.proof[2:])
        self.send(messages.Verdict(name, verifier.address, self.root_at(proof.panel_at), witness, words), verifier)

    def _word(self, proof: ProofId, segment: int) -> Said:
        """What a worker finds; one replay serves all three, since they are the same machine."""
        asked = asking.segment(self.state, self.collected, proof, segment)
        assert asked is not None, "it is open"
        key = (proof, segment)
        if key not in self._words:
            self._words[key] = judge_segment(asked, _Files(self), self.corpus)
        return self._words[key]

    # -- rounds -------------------------------------------------------------------------------------------------------

    def play_round(self, names: list[str]) -> None:
        """These take part, one after the other; all others of the round are missed."""
        self._words: dict[tuple[str, int], Said] = {}
        for name in names:
            self.perform(self.actors[name])
        self.hold()
        self.see()
        self.draw(*self.verifiers)
        proofs = [(actor, self.state.proofs[ProofId(name)]) for actor, name in self._closed()]
        for actor, proof in proofs:
            self._open(actor, proof)
        for actor, proof in proofs:
            self._judge(actor, proof)
        self._note_ends()
        self._combine()

    def _note_ends(self) -> None:
        for actor in self.actors.values():
            name = self.round.proofs.get(actor.account.address)
            if name is not None:
                actor.view = self.view_of(self.state.proofs[ProofId(name)])
                actor.end = actor.view["reason"] or actor.view["state"]

    def shown(self, name: str) -> dict[str, Any] | None:
        """What people read of its newest proof that was read by verifiers."""
        actor = self.actors[name]
        return actor.view if actor.end not in ("", "out") else None

    def _combine(self) -> None:
        basis = asking.basis(self.collected, self.round)
        step, made = combine(basis, _Files(self), self.corpus, self.folder), self.folder / basis.place
        for verifier in self.verifiers[: self.state.k]:
            self.send(
                messages.Merge(
                    self.run,
                    self.round.number,
                    verifier.address,
                    self.merge_root,
                    bytes.fromhex(step.theta[2:]),
                    bytes.fromhex(step.momentum[2:]),
                    bytes.fromhex(step.theta_blob),
                    bytes.fromhex(step.momentum_blob),
                    step.loss,
                ),
                verifier,
            )
        for blob in (step.theta_blob, step.momentum_blob):
            self._put(self.verifiers[0], (made / blob).read_bytes())
        self.theta = unpack((made / step.theta_blob).read_bytes(), theta_layout(self.config))

    def credit(self, name: str) -> int:
        """Verified work in the books of its wallet."""
        wallet = key(f"wallet of {self.actors[name].account.address}").address
        with self.service.ledger.store.read() as session:
            return journal.balances(session, "work").get(wallet, 0)


class _Files:
    """Bytes as the server gives them."""

    def __init__(self, theatre: Theatre) -> None:
        self._theatre = theatre

    def read(self, name: str) -> bytes:
        """Raises BytesMissing."""
        return self._theatre.bytes_of(name)


@contextmanager
def performed(folder: Path, crowd: list[str], late: list[str]) -> Iterator[Theatre]:
    """What became of everybody: the crowd in the first round, and in the second who needs a round before it."""
    text = folder / "text.txt"
    text.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
    cast = [HONEST, RESTARTED, CANARY, *crowd]
    with service(folder) as made, TestClient(made.app()) as client:
        theatre = Theatre(made, client, {}, text=text, cast=cast, late=late, folder=folder)
        theatre.play_round(cast)
        theatre.play_round([HONEST, *late])
        yield theatre
