"""A node's answers to the covered log: its enrolment, its return, the openings of its work and its pledge."""

from __future__ import annotations

from blake3 import blake3

from contracts.ids import ProofId, RunId, from_hex
from contracts.messages.for_log import Enrolment, Leave, PledgeReveal, Return, StateOpening
from contracts.protocol.configuration.profiles import SEVERAL
from contracts.protocol.judge.rules.duties import ComeBack, NodeDuty, Open, OpenPledge
from contracts.protocol.judge.state import NodeState, ProofState, RunState, State
from contracts.protocol.run_config import RunConfig
from trainer.conduct import Conduct, Disclosure, NothingToCopy, RoundTask
from trainer.data.corpora import Corpora
from trainer.data.corpus import CorpusUnreachable
from trainer.log_view.covered import CoveredLog
from trainer.model.device import free_card_bytes
from trainer.model.memory import Way, require_room
from trainer.node.boundaries import Key
from trainer.node.joining import Choice, choose
from trainer.node.pen import Pen, hexes
from trainer.node.settings import NodeProgress, NodeSettings, Report
from trainer.node.surroundings import Around
from trainer.node.work import TaskResult, key_of
from trainer.ranks.running import require_ranks
from trainer.steps.computable import computable
from trainer.steps.profile import BOUNDED
from trainer.steps.trajectory import BoundaryLost


class Answers:
    """The answers of one node."""

    def __init__(
        self,
        settings: NodeSettings,
        log: CoveredLog,
        pen: Pen,
        around: Around,
        conduct: Conduct,
        corpora: Corpora,
        report: Report,
    ) -> None:
        self._settings = settings
        self._log = log
        self._pen = pen
        self._around = around
        self._conduct = conduct
        self._corpora = corpora
        self._report = report
        self._shown: set[tuple[str, int]] = set()
        self._told = ""
        self._fits = False
        self._computable: dict[RunId, frozenset[str]] = {}
        self.is_hindered = False
        """Whether the node does not enrol, since its work would not be decided."""

    def take_place(self, run: RunState, leaving: bool) -> None:
        """Enrol, or leave, where the covered log does not show it. Raises DoesNotFit, RanksDoNotDivide,
        WrongCorpus, OtherVocabulary and ModelPackageUnusable before anything is signed."""
        node = self._around.address
        member = run.nodes.get(self._around.address)
        name = from_hex(run.created.run)
        short = run.created.run[2:18]
        nonce = self._nonce(member)
        if leaving:
            if member is not None and not member.left:
                self._pen.keep(f"leave-{short}", Leave(name, node, nonce))
            return
        if run.over:
            return
        config = RunConfig.from_json(run.config)
        payout = self._settings.payout
        require_ranks(config)
        if not self._has_text(config):
            return
        enrolled = None if member is None or member.left else member.enrolled
        ways = self._ways(run, config)
        before = enrolled.profile if enrolled is not None else ""
        choice = choose(self._log.state, run, ways, before, self._settings.numerics)
        place = None if enrolled is None else (enrolled.payout, enrolled.profile)
        if place == (payout, choice.profile):
            self._tell_unread(run, choice)
        elif self._may_join(choice):
            self._check_room(choice.config)
            from_round = self._settings.from_round
            message = Enrolment(name, node, payout, from_round, from_hex(choice.profile), nonce)
            self._pen.keep(f"enrolment-{short}", message)

    def _ways(self, run: RunState, config: RunConfig) -> dict[str, RunConfig]:
        """The profiles of the run in which this process computes. Of several they are tried once, before a step is
        computed: each try sets the process's threads, and no vote changes them."""
        if config.profile != SEVERAL:
            return computable(config)
        name = run.created.run
        if name not in self._computable:
            self._computable[name] = frozenset(computable(config))
        return {p.digest: config.under(p.digest) for p in config.admitted if p.digest in self._computable[name]}

    def computes_as_listed(self, run: RunState) -> bool:
        """Whether the open round has this node under a profile of this process: under another one its commitment
        would be refused."""
        current = run.rounds.get(run.round)
        listed = current.listed.get(self._around.address) if current is not None else None
        if listed is None:
            return True
        return listed.profile in self._ways(run, RunConfig.from_json(run.config))

    def _nonce(self, member: NodeState | None) -> int:
        """One more than the nonce that the log took last. For a member that the log forgot, or never had, the log's
        size: it was never as large before, so that no old message is repeated."""
        return self._log.state.size if member is None else member.sequence + 1

    def _check_room(self, config: RunConfig) -> None:
        """Once, before anything is signed: what a round takes later is not missing. Raises DoesNotFit."""
        if self._fits:
            return
        settings = self._settings
        free = free_card_bytes(config.profile, settings.ranks)
        require_room(
            config, Way(settings.ranks, settings.recompute, settings.offload, len(free)), min(free, default=None)
        )
        self._fits = True

    def _has_text(self, config: RunConfig) -> bool:
        """Whether the run's corpus can be opened; an origin that is away is weather, and is asked again."""
        try:
            self._corpora.of(config)
        except CorpusUnreachable as error:
            self._tell("waiting", error.detail)
            return False
        return True

    def _tell(self, event: str, why: str) -> None:
        """Report an obstacle when it changes."""
        if why and why != self._told:
            self._report(NodeProgress(event, 0, detail=why))
        self._told = why

    def _may_join(self, choice: Choice) -> bool:
        """Whether a verifier could decide the work; the obstacle is reported when it changes."""
        self._tell("unjudged", choice.obstacle)
        heeded = not self._settings.unjudged and choice.config.profile != BOUNDED
        self.is_hindered = not choice.profile or (bool(choice.obstacle) and heeded)
        return not self.is_hindered

    def _tell_unread(self, run: RunState, choice: Choice) -> None:
        """A member of one of several profiles learns that too few verifiers are left to read it."""
        if run.created.terms.several:
            self._tell("unjudged", choice.obstacle)

    def give(self, state: State, duty: NodeDuty, works: dict[Key, TaskResult]) -> None:
        """Answer a duty from the works that are here; a work whose states the disk has lost is taken out."""
        if isinstance(duty, ComeBack):
            self._come_back(duty)
        elif isinstance(duty, Open):
            self._open(state.proofs[duty.proof], duty.boundaries, works)
        elif isinstance(duty, OpenPledge):
            self._open_pledge(state, state.proofs[duty.proof])

    def _come_back(self, duty: ComeBack) -> None:
        size, root = self._log.head()
        if duty.since < size:
            message = Return(from_hex(duty.run), self._around.address, size, root)
            self._pen.keep(f"return-{duty.run[2:18]}-{duty.since}", message)

    def _open(self, proof: ProofState, boundaries: tuple[int, ...], works: dict[Key, TaskResult]) -> None:
        """Keep the conduct's openings of a work; a boundary that was shown before is not asked for again."""
        name = proof.commitment.proof
        work = works.get(key_of(proof))
        missing = [boundary for boundary in boundaries if (name, boundary) not in self._shown]
        if work is None or not missing:
            return
        try:
            for opening in self._conduct.openings(work.job, work.trajectory, missing):
                self._show(name, opening)
                self._shown.add((name, opening.boundary))
        except NothingToCopy:
            return
        except BoundaryLost as error:
            self._report(
                NodeProgress("lost", proof.commitment.round, detail=f"{error.detail}; the round is done again")
            )
            del works[work.key]

    def _show(self, proof: ProofId, opening: Disclosure) -> None:
        message = StateOpening(
            from_hex(proof),
            opening.boundary,
            opening.entry[:32],
            opening.entry[32:],
            blake3(opening.packed).digest(),
            len(opening.packed),
        )
        self._pen.keep(f"opening-{proof}-{opening.boundary}", message, opening.packed, path=hexes(opening.path))

    def _open_pledge(self, state: State, proof: ProofState) -> None:
        """Keep the pledge's message; it needs the key alone."""
        name = proof.commitment.proof
        current = state.round_of(proof)
        config = RunConfig.from_json(current.config)
        pledge = self._conduct.pledge(
            RoundTask(self._around, self._around.view(state, current), config, lambda: self._corpora.of(config), {})
        )
        if self._pen.store.get(f"pledge-{name}") is None and pledge.canary:
            detail = f"segment {pledge.fake} was bad on purpose"
            self._report(NodeProgress("canary", proof.commitment.round, detail=detail))
        self._pen.keep(f"pledge-{name}", PledgeReveal(from_hex(name), pledge.salt, pledge.fake))
