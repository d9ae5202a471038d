"""The light node's loop: follow the log, do what the covered part of it asks for, hand what was made. And again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from blake3 import blake3

from contracts.messages import Message
from contracts.protocol.judge.duties import ComeBack, Commit, NodeDuty, Open, OpenPledge, of_node
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.state import ProofState, RunState, Stage, State
from contracts.protocol.log.signed import hexed
from contracts.protocol.messages import Commitment, Enrolment, LeaseRenewal, Leave, PledgeReveal, Return, StateOpening
from contracts.run_config import RunConfig
from contracts.signing import Domain
from trainer import cheats
from trainer.canary import Canary
from trainer.client import octets
from trainer.conduct import Job
from trainer.corpus import corpus_of
from trainer.light.admitted import Admitted, ByChain, ByLog
from trainer.light.book import Book
from trainer.light.covered import CoveredLog
from trainer.light.keeping import Kept, Store, signed_text
from trainer.light.network import SERVER, Network
from trainer.light.offers import offers
from trainer.light.plan import standing
from trainer.light.pulse import Pulse
from trainer.light.settings import LightSettings, Progress, Report
from trainer.light.states import StateLost, States
from trainer.light.story import Story
from trainer.light.surroundings import Around, Published
from trainer.light.work import Task, Work, Workshop, as_message
from trainer.mirrors.peer import Limits
from trainer.profile import configure_determinism

Key = tuple[str, int]


class LightNode:
    """One node of one run. Raises UnknownCheat, UnusableCorpus, WrongCorpus, InvalidLogKey, OtherGenesis, Differs and
    what a cheat raises; no weather."""

    def __init__(self, settings: LightSettings, report: Report, limits: Limits | None = None) -> None:
        self.settings, self._report = settings, report
        deployment, folder = settings.deployment, settings.folder
        self.domain = Domain(deployment.chain_id, deployment.model_registry)
        model = octets(deployment.model)
        functions = Protocol(deployment.chain_id, deployment.distributor, model, deployment.deployer)
        published, copies = Published(self.domain), settings.cheat is not None
        key = deployment.log_key()
        self.log = CoveredLog(
            folder / "log", key, functions, self.domain, self._warn, published.take if copies else lambda _: None
        )
        book = Book(folder / "mirrors.json", self.domain, deployment.first_mirrors(), settings.loopback())
        self.network = Network(settings.api_url, key.name, book, settings.look_seconds, limits)
        self._judges = (
            ByChain(settings.rpc_url, deployment)
            if settings.rpc_url
            else ByLog(lambda: self.log.gleaned, lambda detail: self._warn("believed", detail))
        )
        self._around = Around(settings.key, self.domain, lambda: self.log, published, self.network.blob)
        self._conduct = Canary(settings.canary_ppm) if settings.canary_ppm else cheats.conduct(settings.cheat)
        self._corpus = corpus_of(settings.data)
        self._store = Store(folder / "outbox")
        self._states = States(folder / "states", self.network.blob)
        self._shop = Workshop(self._around, self._conduct, self._corpus, self._states, folder / "boundaries", report)
        self._pulse = Pulse(self.address, lambda: self._shop.step, self._beat)
        self._story = Story(self.address, report)
        self._works: dict[Key, Work] = {}
        self._asked: set[tuple[str, int]] = set()
        self._hopeless: set[Key] = set()
        self._working: Key = ("", 0)
        self._admitted = Admitted()

    @property
    def address(self) -> str:
        """This node's checksum address."""
        return self._around.address

    def take_part(self, stop: threading.Event, leave: threading.Event | None = None) -> None:
        """Enrol, and do what is due, until `stop`; after `leave` only until nothing is due any more."""
        leave = leave or threading.Event()
        self.network.start()
        self._pulse.start()
        try:
            while not stop.is_set():
                self.look()
                if self.log.current and self._act(leave.is_set()):
                    return
                stop.wait(self.settings.look_seconds)
        finally:
            self._pulse.close()
            self._shop.close()
            self.network.close()
            self.log.close()

    def look(self) -> None:
        """What server and mirrors show now. Raises Differs."""
        self._admitted = self._judges.now()
        self.network.watch(sorted(self._admitted.verifiers))
        self.log.look(self.network.notes(), self.network.read, self._judges.now)

    def _act(self, leaving: bool) -> bool:
        """Everything that is due now; returns whether the node has left, and owes nothing."""
        state, run = self.log.state, self.log.state.runs.get(self.settings.run)
        if run is None:
            return False
        self._collect(state)
        self._take_place(run, leaving)
        duties = [duty for duty in of_node(state, self.address) if self._is_ours(state, duty)]
        for duty in duties:
            self._do(state, duty)
        self._pulse_for(run)
        self._work_on(state, run, duties)
        self._hand(state)
        self._story.tell(state, run)
        member = run.nodes.get(self.address)
        gone = member is None or member.left
        return leaving and gone and not duties and all(proof.done for proof in self._proofs(state))

    # -- duties -------------------------------------------------------------------------------------------------------

    def _take_place(self, run: RunState, leaving: bool) -> None:
        member, config = run.nodes.get(self.address), RunConfig.from_json(run.config)
        name, nonce = octets(run.created.run), time.time_ns()
        short = run.created.run[2:18]
        nonce = nonce if member is None else max(nonce, member.sequence + 1)
        if leaving:
            if member is not None and not member.left:
                self._keep(f"leave-{short}", Leave(name, self.address, nonce))
            return
        profile, payout = configure_determinism(config.profile).digest(), self.settings.payout
        place = None if member is None or member.left else (member.enrolled.payout, member.enrolled.profile)
        if place != (payout, hexed(profile)) and not run.over:
            first = self.settings.from_round
            self._keep(f"enrolment-{short}", Enrolment(name, self.address, payout, first, profile, nonce))

    def _do(self, state: State, duty: NodeDuty) -> None:
        if isinstance(duty, ComeBack):
            self._come_back(duty)
        elif isinstance(duty, Open):
            self._open(state.proofs[duty.proof], duty.boundaries)
        elif isinstance(duty, OpenPledge):
            self._open_pledge(state, state.proofs[duty.proof])

    def _come_back(self, duty: ComeBack) -> None:
        size, root = self.log.head()
        if duty.since < size:
            message = Return(octets(duty.run), self.address, size, root)
            self._keep(f"return-{duty.run[2:18]}-{duty.since}", message)

    def _open(self, proof: ProofState, boundaries: tuple[int, ...]) -> None:
        """What the conduct opens of a work that is here; each boundary is asked of it once."""
        name, work = proof.commitment.proof, self._works.get(_key(proof))
        wanted = [boundary for boundary in boundaries if (name, boundary) not in self._asked]
        if work is None or not wanted:
            return
        self._asked |= {(name, boundary) for boundary in wanted}
        for shown in self._conduct.openings(work.job, work.trajectory, wanted):
            message = StateOpening(
                octets(name), shown.boundary, shown.entry[:32], shown.entry[32:], _blake3(shown.packed),
                len(shown.packed),
            )  # fmt: skip
            self._keep(f"opening-{name}-{shown.boundary}", message, shown.packed, path=_hexes(shown.path))

    def _open_pledge(self, state: State, proof: ProofState) -> None:
        """A pledge needs the key alone."""
        name, current = proof.commitment.proof, state.round_of(proof)
        config = RunConfig.from_json(current.config)
        pledge = self._conduct.pledge(Job(self._around, self._around.round(state, current), config, self._corpus, {}))
        if self._store.get(f"pledge-{name}") is None and pledge.canary:
            detail = f"segment {pledge.fake} was bad on purpose"
            self._report(Progress("canary", proof.commitment.round, detail=detail))
        self._keep(f"pledge-{name}", PledgeReveal(octets(name), pledge.salt, pledge.fake))

    def _pulse_for(self, run: RunState) -> None:
        """Beat while this node's commitment, with its gradient in the hands of k, is awaited."""
        awaited = Awaited(What.COMMITMENT, run.created.run, run.round, "", self.address)
        waits = run.round in run.rounds and awaited in run.rounds[run.round].awaits
        terms = self.log.gleaned.terms.get(self.settings.run)
        lease = terms.leaseSeconds if terms is not None else 0
        self._pulse.follow((octets(run.created.run), run.round) if waits else None, max(1, lease))

    def _beat(self, message: LeaseRenewal) -> None:
        self.network.tell(self._text(message).encode())

    # -- work ---------------------------------------------------------------------------------------------------------

    def _collect(self, state: State) -> None:
        """Work that is done: its commitments are on the disk before anybody sees them."""
        try:
            work = self._shop.finished()
        except StateLost as error:
            self._report(Progress("lost", self._working[1], detail=error.detail))
            self._hopeless.add(self._working)
            return
        if work is None:
            return
        key = (work.job.run, work.job.number)
        self._works[key] = work
        proof = next((proof for proof in self._proofs(state) if _key(proof) == key), None)
        if proof is None:
            self._commit(work)
        elif proof.commitment.root != hexed(work.trajectory.root):
            self._warn("other-work", f"round {key[1]}, done again, gives another root than was committed to")

    def _commit(self, work: Work) -> None:
        for number, made in enumerate(work.made):
            paths = {"first_path": _hexes(made.first_path), "last_path": _hexes(made.last_path)}
            name, message = f"{_commitment(work.job.run, work.job.number)}-{number}", as_message(made)
            text = signed_text(message, made.domain or self.domain, octets(self.settings.key), paths)
            if self._store.put(name, text, made.gradient).text != text:
                self._warn("other-work", f"round {work.job.number}, done again, gives another commitment")

    def _work_on(self, state: State, run: RunState, duties: list[NodeDuty]) -> None:
        """Begin what is most urgent of all that is not here: what is asked for now, the open round, what may be."""
        wanted = list(dict.fromkeys(self._wanted(state, duties)))
        if self._shop.busy is not None and self._shop.busy not in wanted:
            self._shop.abandon()
        live = {_key(proof) for proof in self._proofs(state) if not proof.done} | set(wanted)
        self._works = {key: work for key, work in self._works.items() if key in live}
        missing = [key for key in wanted if key not in self._works and key not in self._hopeless]
        if self._shop.busy is None and missing:
            self._forget(state, run)
            self._working = missing[0]
            self._shop.begin(self._task(state, run, missing[0][1]))

    def _wanted(self, state: State, duties: list[NodeDuty]) -> Iterator[Key]:
        proofs = [proof for proof in self._proofs(state) if proof.stage in (Stage.READING, Stage.COMMITTED)]
        asked = {duty.proof for duty in duties if isinstance(duty, Open)}
        yield from (_key(proof) for proof in proofs if proof.commitment.proof in asked)
        yield from ((duty.run, duty.round) for duty in duties if isinstance(duty, Commit))
        yield from (_key(proof) for proof in proofs)

    def _task(self, state: State, run: RunState, number: int) -> Task:
        current = run.rounds[number]
        view, config = self._around.round(state, current), RunConfig.from_json(current.config)
        genesis, inner = current.theta == run.created.theta, current.listed[self.address].inner
        theta = current.theta
        return Task(view, config, theta, inner, genesis, lambda: list(self.log.gleaned.blobs.get(theta, ())))

    def _forget(self, state: State, run: RunState) -> None:
        """Old files of weights and moments."""
        commitments = [proof.commitment for proof in self._proofs(state)]
        kept = [kept.message for kept in self._store]
        inner = {end for made in commitments for end in (made.inner, made.inner_end)}
        inner |= {hexed(message.innerEnd) for message in kept if isinstance(message, Commitment)}
        inner |= {run.nodes[self.address].inner} if self.address in run.nodes else set()
        rounds = list(run.rounds.values())
        inner |= {current.listed[self.address].inner for current in rounds if self.address in current.listed}
        self._states.forget_but(inner, {current.theta for current in rounds})

    # -- handing ------------------------------------------------------------------------------------------------------

    def _hand(self, state: State) -> None:
        """Whatever the covered log does not show yet goes out, and what it shows is forgotten."""
        found: list[tuple[Kept, bool, bool]] = []
        for kept in self._store:
            stands = standing(state, kept.message)
            if not stands.stays:
                self._store.drop(kept.name)
            else:
                found.append((kept, stands.message, stands.blob))
        self.network.offer(offers(found, self.network, self._store.blob_path, max(1, self._admitted.k)))
        while self.network.refusals:
            self._story.refused(self.network.refusals.popleft(), SERVER)

    def _keep(self, name: str, message: Message, blob: bytes | None = None, **beside: object) -> None:
        if self._store.get(name) is None:
            self._store.put(name, self._text(message, **beside), blob)

    def _text(self, message: Message, **beside: object) -> str:
        return signed_text(message, self.domain, octets(self.settings.key), beside)

    # -- small parts --------------------------------------------------------------------------------------------------

    def _proofs(self, state: State) -> list[ProofState]:
        """This node's proofs of its run that are held."""
        mine = (proof for proof in state.proofs.values() if proof.commitment.node == self.address)
        return [proof for proof in mine if proof.commitment.run == self.settings.run]

    def _is_ours(self, state: State, duty: NodeDuty) -> bool:
        run = state.proofs[duty.proof].commitment.run if isinstance(duty, (Open, OpenPledge)) else duty.run
        return run == self.settings.run

    def _warn(self, code: str, detail: str) -> None:
        self._report(Progress("warning", 0, detail=f"{code}: {detail}"))


def run_light_node(
    settings: LightSettings, report: Report, stop: threading.Event, leave: threading.Event | None = None
) -> None:
    """Enrol and take part until `stop`, or until what is due after `leave` is done."""
    LightNode(settings, report).take_part(stop, leave)


def _key(proof: ProofState) -> Key:
    return proof.commitment.run, proof.commitment.round


def _commitment(run: str, number: int) -> str:
    return f"commitment-{run[2:18]}-{number}"


def _hexes(path: Sequence[bytes]) -> list[str]:
    return [hexed(node) for node in path]


def _blake3(data: bytes) -> bytes:
    return blake3(data).digest()
