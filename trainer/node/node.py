"""The light node's loop: follow the log, do the duties of its covered part, deliver the messages. And again."""

from __future__ import annotations

import threading

from eth_account import Account

from contracts.files.whole_file import DiskFull, named_full
from contracts.ids import NO_PROOF, Address, from_hex
from contracts.messages.for_log import LeaseRenewal
from contracts.messages.signatures import Domain
from contracts.mirrors.book import Book
from contracts.mirrors.peer import Limits
from contracts.mirrors.tickets import Tickets
from contracts.process.clock_watch import ClockWatch
from contracts.process.outage import Troubles
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.rules.duties import Commit, NodeDuty, Open, OpenPledge, of_node
from contracts.protocol.judge.state import ProofState, RunState, State
from contracts.recursion import bound_recursion
from trainer import cheats
from trainer.canary import Canary
from trainer.conduct import Conduct
from trainer.data.corpora import Corpora
from trainer.exchange.keeping import Kept, KeptMessages
from trainer.exchange.network import SERVER, PeerNetwork
from trainer.exchange.offers import offers
from trainer.genesis.first_weights import choose_weights
from trainer.log_view.admitted import Admitted, ByChain, ByLog
from trainer.log_view.covered import CoveredLog
from trainer.model.device import choose_offload
from trainer.model.recompute import choose_recompute
from trainer.node.answering import Answers
from trainer.node.pen import Pen
from trainer.node.pulse import Heartbeat
from trainer.node.retention import standing
from trainer.node.rounds import Rounds
from trainer.node.settings import NodeProgress, NodeSettings, Report
from trainer.node.states import States
from trainer.node.status import NodePhase, status_of
from trainer.node.story import Story
from trainer.node.surroundings import Around, Published
from trainer.node.work import Workshop
from trainer.ranks.running import choose_ranks
from trainer.weather import Weather


class LightNode:
    """One node of one run. Raises UnknownCheat, UnusableCorpus, WrongCorpus, InvalidLogKey, OtherGenesis and Differs;
    for weather only GaveUp, and only where the settings say so."""

    def __init__(
        self, settings: NodeSettings, report: Report, limits: Limits | None = None, conduct: Conduct | None = None
    ) -> None:
        """`conduct` is the node's behaviour; without one the settings name it."""
        bound_recursion()
        self.settings = settings
        self._report = report
        self._open_log(settings, limits)
        conduct = conduct or (Canary(settings.canary_ppm) if settings.canary_ppm else cheats.conduct(settings.cheat))
        corpora = Corpora(settings.text())
        choose_weights(settings.first_weights())
        choose_ranks(settings.ranks, settings.folder / "ranks")
        choose_recompute(settings.recompute)
        choose_offload(settings.offload)
        folder = settings.folder
        self._pen = Pen(settings.key, self.domain, KeptMessages(folder / "outbox"))
        states = States(folder / "states", self.network.any_blob)
        self._shop = Workshop(self._around, conduct, corpora, states, folder / "boundaries", report)
        self._rounds = Rounds(self.log, self._around, self._shop, states, self._pen, report, self._warn)
        self._answers = Answers(settings, self.log, self._pen, self._around, conduct, corpora, report)
        self._pulse = Heartbeat(self.address, lambda: self._shop.step, self._beat)
        self._story = Story(self.address, report, folder / "told.json")
        self._admitted = Admitted()
        self._troubles = Troubles(self._away)
        self._weather = Weather(settings.api_url, settings.rpc_url, self._away, settings.give_up_after)

    @property
    def address(self) -> Address:
        """This node's checksum address."""
        return self._around.address

    def take_part(self, stop: threading.Event, leave: threading.Event | None = None) -> None:
        """Enrol, and do all duties, until `stop`; after `leave` only until no duty is left."""
        leave = leave or threading.Event()
        self.network.start()
        self._pulse.start()
        try:
            while not stop.is_set():
                if self._turn(leave.is_set()):
                    return
                stop.wait(self.settings.look_seconds)
        finally:
            self._pulse.close()
            self._shop.close()
            self.network.close()
            self.log.close()

    def _turn(self, leaving: bool) -> bool:
        """A look, and the duties after it; returns whether the node is done. A full disk is weather: it is reported,
        and a write that failed is tried again."""
        try:
            with named_full("the log's copy"):
                self.look()
                is_done = self.log.current and self._act(leaving)
        except DiskFull as error:
            self._troubles.failed(
                f"the disk of {self.settings.folder}", f"{error.detail}; make room, it is tried again"
            )
            return False
        self._troubles.ended(f"the disk of {self.settings.folder}")
        self._stand()
        return is_done

    def look(self) -> None:
        """Take the newest heads of server and mirrors. Raises Differs and GaveUp."""
        self._admitted = self._judges.now()
        self.network.watch(sorted(self._admitted.verifiers))
        self._weather.look(self.network.troubles(), self._judges.trouble, self._admitted.k)
        self._watch_clock()
        self.log.look(self.network.notes(), self.network.read, self._judges.now)

    def _stand(self) -> None:
        """Report this node's status when it changes; the obstacle to enrolling was reported."""
        state = self.log.state
        status = status_of(state, state.runs.get(self.settings.run), self.address, self.log.current)
        if status.status is not NodePhase.JOINING or not self._answers.is_hindered:
            self._story.stands(status)

    def _watch_clock(self) -> None:
        """Compare this machine's clock with the server's, where no chain node is given."""
        server_time = self.network.server_clock()
        if server_time is not None and not self.settings.rpc_url:
            self._clock.date(server_time)

    def _act(self, leaving: bool) -> bool:
        """Do all that is due now; returns whether the node has left, and owes nothing."""
        state = self.log.state
        run = self.log.state.runs.get(self.settings.run)
        if run is None:
            return False
        proofs = self._proofs(state)
        duties = [duty for duty in of_node(state, self.address) if self._is_ours(state, duty)]
        self._rounds.collect(proofs)
        self._answers.take_place(run, leaving)
        for duty in duties:
            self._answers.give(state, duty, self._rounds.works)
        self._pulse_for(run)
        self._rounds.go_on(state, run, proofs, duties)
        self._hand(state)
        self._story.tell(state, run)
        member = run.nodes.get(self.address)
        gone = member is None or member.left
        return leaving and gone and not duties and all(proof.done for proof in proofs)

    def _pulse_for(self, run: RunState) -> None:
        """Beat while this node's commitment, with its gradient in the hands of k, is awaited."""
        awaited = Awaited(What.COMMITMENT, run.created.run, run.round, NO_PROOF, self.address)
        waits = run.round in run.rounds and awaited in run.rounds[run.round].awaits
        waits = waits and self._answers.computes_as_listed(run)
        terms = self.log.gleaned.terms.get(self.settings.run)
        lease = terms.leaseSeconds if terms is not None else 0
        self._pulse.follow((from_hex(run.created.run), run.round) if waits else None, max(1, lease))

    def _hand(self, state: State) -> None:
        """Offer the messages that the covered log does not show yet, and drop those that are done."""
        store = self._pen.store
        records = list[tuple[Kept, bool, bool]]()
        for record in store:
            retention = standing(state, record.message)
            if not retention.stays:
                store.drop(record.name)
            else:
                records.append((record, retention.message, retention.blob))
        self.network.offer(offers(records, self.network, store.blob_path, max(1, self._admitted.k)))
        while self.network.refusals:
            self._story.refused(self.network.refusals.popleft(), SERVER)

    # -- small parts --------------------------------------------------------------------------------------------------

    def _open_log(self, settings: NodeSettings, limits: Limits | None) -> None:
        deployment = settings.deployment
        folder = settings.folder
        self.domain = Domain(deployment.chain_id, deployment.model_registry)
        model = from_hex(deployment.model)
        key = deployment.log_key()
        functions = Protocol(deployment.chain_id, deployment.distributor, model, deployment.deployer)
        published = Published(self.domain) if settings.cheat is not None else None
        on_entry = published.take if published is not None else None
        self.log = CoveredLog(folder / "log", key, functions, self.domain, self._warn, on_entry)
        book = Book(folder / "mirrors.json", self.domain, deployment.first_mirrors(), settings.loopback())
        tickets = Tickets(Account.from_key(settings.key), self.domain)
        self.network = PeerNetwork(settings.api_url, key.name, book, settings.look_seconds, tickets, limits, deployment)
        self._around = Around(settings.key, self.domain, lambda: self.log, published, self.network.blob)
        self._clock = ClockWatch(lambda detail: self._warn("clock", detail))
        self._judges = (
            ByChain(settings.rpc_url, deployment, self._clock)
            if settings.rpc_url
            else ByLog(lambda: self.log.gleaned, lambda detail: self._warn("believed", detail))
        )

    def _beat(self, message: LeaseRenewal) -> None:
        self.network.tell(self._pen.text(message).encode())

    def _proofs(self, state: State) -> list[ProofState]:
        """This node's proofs of its run that the machine holds."""
        proofs = (proof for proof in state.proofs.values() if proof.commitment.node == self.address)
        return [proof for proof in proofs if proof.commitment.run == self.settings.run]

    def _is_ours(self, state: State, duty: NodeDuty) -> bool:
        run = state.proofs[duty.proof].commitment.run if isinstance(duty, (Open, OpenPledge)) else duty.run
        if run != self.settings.run:
            return False
        return not isinstance(duty, Commit) or self._answers.computes_as_listed(state.runs[run])

    def _away(self, line: str) -> None:
        self._report(NodeProgress("weather", 0, detail=line))

    def _warn(self, code: str, detail: str) -> None:
        self._report(NodeProgress("warning", 0, detail=f"{code}: {detail}"))


def run_light_node(
    settings: NodeSettings, report: Report, stop: threading.Event, leave: threading.Event | None = None
) -> None:
    """Enrol and take part until `stop`, or until the duties after `leave` are done."""
    LightNode(settings, report).take_part(stop, leave)
