"""A verifier's loop: draw, examine, give verdicts, merge rounds, rebuild and sign epochs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from eth_utils import to_checksum_address

from contracts.chain import connect
from contracts.deploy import Deployment
from contracts.errors import CommonweightError
from contracts.log_audit import ON_CHAIN_SECONDS
from contracts.messages import Challenge, DrawAnchor, EpochRoot, MergeAttestation, Verdict
from contracts.run_config import RunConfig
from trainer.client import ApiClient, deadline, octets
from trainer.corpus import corpus_of
from verifier.audit import LogAudit
from verifier.audit_state import ProofState
from verifier.chain_authority import authority_of
from verifier.draws import DrawChain
from verifier.duties import Duties
from verifier.errors import AuditFailed
from verifier.jobs import Key, Order, State
from verifier.log_mirror import LogMirror
from verifier.panel import Examination, Outcome
from verifier.queue import make_app
from verifier.replica import Replica
from verifier.settings import VerifierSettings

T = TypeVar("T")
logger = logging.getLogger(__name__)
POLL_SECONDS, NEWS_SECONDS = 0.3, 1.0
LOOK_SECONDS = 3.0  # what only the chain changes (an epoch's attempt) is not in the log
MERGE_ATTEMPTS = 1_000  # a round waits for its outer step: giving up would stop the run


@dataclass(frozen=True)
class Progress:
    """What a verifier says while it works; `segments` were read for a verdict, errors are relative."""

    event: str
    round: int = 0
    node: str = ""
    proof: str = ""
    detail: str = ""
    segments: int | None = None
    error: float | None = None
    limit: float | None = None


class VerifierService:
    """One verifier of one run. `step` may be called again at any time; what is done is not done twice."""

    def __init__(self, settings: VerifierSettings, report: Callable[[Progress], None]) -> None:
        self.settings, self._report = settings, report
        settings.folder.mkdir(parents=True, exist_ok=True)
        self.client = ApiClient(settings.api_url, settings.key, settings.folder / "blobs")
        self._w3 = connect(settings.rpc_url)
        self._app = make_app(settings)
        self._draws = DrawChain(settings.folder / f"draw-{settings.run[2:18]}.secret")
        self._examinations: dict[tuple[str, int], Examination] = {}
        self._signed: set[tuple[int, int]] = set()
        self._attested: set[int] = set()
        self._looked, self._look_again, self._troubled = -1, 0.0, False
        self._replica = self._open_replica()
        self._bases: dict[int, dict[str, Any]] = {}
        self._duties = Duties(self.client, settings.run, settings.folder, self._app, settings.attempts)

    def anchor(self) -> None:
        """Bind to the hash chain before the first round. Raises WrongCorpus: on other text no replay could stand."""
        run = self.client.get(f"/runs/{self.settings.run}")
        corpus_of(self.settings.data).require(RunConfig.from_json(run["config"]).corpus_digest)
        message = DrawAnchor(
            octets(self.settings.run), self.client.address, self._draws.anchor(), self._draws.length, deadline()
        )
        self.client.send(f"/runs/{self.settings.run}/verifiers", message)
        self._report(Progress("anchored"))

    def run(self, stop: threading.Event) -> None:
        """Step until told to stop. Whatever server or chain answer is reported and tried again."""
        self.anchor()
        seen, busy = -1, False
        while not stop.is_set():
            self._troubled = False
            seen = self._guarded(partial(self.client.news, seen, POLL_SECONDS if busy else NEWS_SECONDS), seen)
            busy = self._guarded(partial(self.step, seen), False)
            if self._troubled:
                stop.wait(NEWS_SECONDS)

    def _guarded(self, duty: Callable[[], T], otherwise: T) -> T:
        """No answer of server or chain may end a verifier, or keep it from its other duties: silence costs stake."""
        try:
            return duty()
        except CommonweightError as error:
            self._report(Progress("trouble", detail=f"{error.code}: {error.detail}"))
        except Exception as error:
            logger.exception("an answer that makes no sense")
            self._report(Progress("trouble", detail=repr(error)))
        self._troubled = True
        return otherwise

    def step(self, log_size: int | None = None) -> bool:
        """Do what is due now; whether something is awaited that the log will not tell of (workers, a beacon).

        With the size of the log, what only the log brings (epochs, faults, appeals) is asked for when it has grown.
        """
        run = self.client.get(f"/runs/{self.settings.run}")
        if run["round"] == 0:
            return False
        current = self.client.get(f"/runs/{self.settings.run}/rounds/{run['round']}")
        pending = [line for line in current["proofs"] if line["state"] == "pending"]
        for line in pending:
            self._guarded(partial(self._examine, line), None)
        if current["phase"] == "merging":
            self._guarded(partial(self._merge, current), None)
        waiting = False
        if log_size is None or log_size != self._looked or time.monotonic() > self._look_again:
            waiting = self._look()
            # a worker's answer comes without a log entry: look again at once
            self._looked = -1 if waiting or log_size is None else log_size
            self._look_again = time.monotonic() + LOOK_SECONDS
        return bool(pending) or current["phase"] == "merging" or waiting

    def _look(self) -> bool:
        self._guarded(self._replica.mirror.watch, None)
        self._guarded(self._sign_epochs, None)
        self._guarded(partial(self._duties.reveal, self._say), None)
        self._guarded(partial(self._duties.sign_faults, self._replica.known, self._say), None)
        self._guarded(partial(self._duties.sign_node_faults, self._replica.known, self._say), None)
        return self._guarded(partial(self._duties.answer_appeals, self._say), False)

    def _sign_epochs(self) -> None:
        for epoch in self.client.get("/epochs"):
            if epoch["state"] == "closed":
                self._sign_epoch(epoch)

    def _examine(self, line: dict[str, Any]) -> None:
        status = self.client.get(f"/proofs/{line['proof']}/status")
        due = status["state"] == "pending" and self.client.address in status["panel"]
        if not due or self.client.address in status["voted"]:
            return
        examination = self._examinations.get((status["proof"], status["stage"])) or self._begin(status)
        if examination is None or not (examination.jobs or self._is_ready(examination, status)):
            return
        examination.dispatch(self._app, partial(self._replica.facts, status["proof"]))
        outcome = examination.outcome()
        if outcome is not None:
            self._give_verdict(status, outcome)

    def _is_ready(self, examination: Examination, status: dict[str, Any]) -> bool:
        """What the server calls opened must stand in the log: else an honest node's openings would seem withheld."""
        if not examination.ready_to_start(status):
            return False
        opened = self._replica.newest(status["proof"]).openings
        return examination.ready_to_start({**status, "opened": list(opened)})

    def _begin(self, status: dict[str, Any]) -> Examination | None:
        """At stage 2 what this verifier drew is read again beside what is in dispute, whatever that is."""
        proof, stage = str(status["proof"]), int(status["stage"])
        found = self._replica.proof(proof) if stage == 1 else self._replica.newest(proof)
        segments = self._draw(proof, found) if stage == 1 else found.draws.get(self.client.address, ())
        disputed = found.disputed if stage == 2 else ()
        if segments is None or disputed is None:
            return None
        read, last = tuple(sorted({*segments, *disputed})), found.message.boundaries - 1
        begun = Examination(proof, read, last, self.settings.attempts, stage, disputed)
        self._examinations[proof, stage] = begun
        return begun

    def _draw(self, proof: str, found: ProofState) -> tuple[int, ...] | None:
        """What this verifier reads, by its own log, chain and link.

        A round's link is shown for a proof in that log, once the chain has its beacon: all links before it follow.
        """
        number, current = found.beacon_block, found.message.round
        if self._w3.eth.block_number < number:
            return None
        beacon, link = bytes(self._w3.eth.get_block(number)["hash"]), self._draws.link(current)
        segments = self._replica.draw(proof, beacon, link)
        message = Challenge(octets(proof), self.client.address, number, beacon, link, deadline())
        answer = self.client.send("/challenges", message)["segments"]
        node = to_checksum_address(found.message.node)
        if answer != list(segments):
            detail = f"the server names segments {answer} where {list(segments)} were drawn"
            self._report(Progress("trouble", current, node, proof, detail))
        self._report(Progress("drawn", current, node, proof, f"segments {list(segments)}"))
        return segments

    def _say(self, event: str, proof: str, detail: str) -> None:
        self._report(Progress(event, proof=proof, detail=detail))

    def _give_verdict(self, view: dict[str, Any], outcome: Outcome) -> None:
        if outcome.trace and view["stage"] == 1:
            self._duties.bind(view["proof"], outcome.trace)
        message = Verdict(
            octets(view["proof"]), self.client.address, view["stage"], outcome.outcome, int(outcome.reason),
            outcome.segment, outcome.measured, outcome.limit, deadline(),
        )  # fmt: skip
        self.client.send("/verdicts", message)
        read = len(self._examinations[view["proof"], view["stage"]].segments)
        word = f"{('undecided', 'accept', 'reject')[outcome.outcome]} {outcome.detail}".strip()
        said = Progress("verdict", view["round"], view["node"], view["proof"], word, read)
        self._report(replace(said, error=outcome.measured / 1e18, limit=outcome.limit / 1e18))

    def _merge(self, current: dict[str, Any]) -> None:
        run, number = self.settings.run, int(current["round"])
        if number in self._attested:
            return
        basis = self._bases.get(number) or self._replica.merge(number)
        if basis is None:
            return
        self._bases = {number: basis}
        order = Order(Key(run, number, "merge"), "verifier.merge", (run, number, basis), MERGE_ATTEMPTS)
        job = self._app.jobs.one(order)
        if job.state != State.DONE:
            return
        said = job.result
        message = MergeAttestation(
            octets(self.settings.run), number, self.client.address, octets(said["accepted"]), octets(said["theta"]),
            octets(said["momentum"]), said["held_out_loss"], deadline(),
        )  # fmt: skip
        self.client.send("/merges", message, theta_blob=said["theta_blob"], momentum_blob=said["momentum_blob"])
        self._attested.add(number)
        self._report(Progress("merged", number, detail=f"held-out loss {said['held_out_loss'] / 1e9:.4f}"))

    def _sign_epoch(self, epoch: dict[str, Any]) -> None:
        place = (int(epoch["epoch"]), int(epoch["attempt"]))
        if place in self._signed or self.client.address in epoch["signatures"]:
            return
        mirror = self._replica.mirror
        mirror.sync()
        proven = self._replica.audit.epochs.get(place[0])
        size = int(epoch["log_size"])
        if proven is None or mirror.root(size) != octets(epoch["log_root"]):
            raise AuditFailed(size, f"epoch {place[0]} is not what the log proves")
        message = EpochRoot(
            octets(self.client.network["deployment"]["model"]), place[0], place[1], proven.root, proven.total,
            proven.count, size, octets(epoch["log_root"]), proven.deadline - ON_CHAIN_SECONDS, proven.deadline,
        )  # fmt: skip
        self.client.send(
            f"/epochs/{place[0]}/signatures", message, domain=self.client.epoch_domain, signer=self.client.address
        )
        self._signed.add(place)
        self._report(Progress("epoch signed", detail=f"epoch {place[0]}, {proven.count} payees, root rebuilt"))

    def _open_replica(self) -> Replica:
        audit = LogAudit(authority_of(self._w3, Deployment(**self.client.network["deployment"])))
        file = self.settings.folder / "tree-head.json"
        mirror = LogMirror(self.client, audit, file, lambda: int(self._w3.eth.block_number))
        return Replica(mirror, audit, self.settings.run)
