"""One history of the simulator, entered into a real server's log as real messages, and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.facts import Block, Fact, Rules
from contracts.protocol.log.blocks import split
from contracts.protocol.log.leaf import write
from contracts.protocol.log.signed import Envelope
from tests.adversary.service.books import check_books
from tests.adversary.service.compare import Comparison, Unequal
from tests.adversary.service.ends import Ends, ends
from tests.adversary.service.names import Names
from tests.adversary.service.record import Step, recorded, sayable
from tests.adversary.service.said import Speaker
from tests.adversary.service.server import Server
from tests.adversary.service.twin import Twin
from tests.contracts.protocol.log.signed_run import DOMAIN
from tests.promised_documents import check_documents


class Different(AssertionError):
    """A service that departs from the simulator."""

    def __init__(self, seed: int, strategy: str, index: int, what: str) -> None:
        super().__init__(f"seed {seed}, {strategy}, entry {index}: {what}")
        self.seed, self.strategy, self.index = seed, strategy, index


@dataclass
class Served:
    """What a history gave: its log, and what both sides refused."""

    seed: int
    strategy: str
    kinds: Counter[str] = field(default_factory=Counter)
    """Entries of the log."""
    refused: Counter[str] = field(default_factory=Counter)
    """Facts that both refused, by code."""
    known: int = 0
    """Messages that came once more: the simulator refuses them, the service answers as it did."""
    ends: Ends = field(default_factory=Ends)
    documents: int = 0
    """What people read of it, each as its route promises."""

    @property
    def entries(self) -> int:
        """How many the log has."""
        return self.kinds.total()


class Service:
    """Enters the steps of one history."""

    def __init__(self, folder: Path) -> None:
        self.names = Names()
        self.functions = Twin.of(self.names)
        self.speaker = Speaker(self.names, self.functions)
        self.comparison = Comparison(self.names, self.functions, self.speaker)
        self.server = Server(folder, self.functions)
        self.speaker.roots = self.server.roots
        self.log: list[Fact | Derived] = []
        """What the simulator's machine makes of the facts."""
        self._messages: dict[str, int] = {}
        """What stands in the log, with the number of entries that followed."""

    def enter(self, step: Step, served: Served) -> None:
        """One fact: refused alike, or entered with the same after it. Raises Unequal."""
        if isinstance(step.fact, Rules):
            self._follow(step, self.server.enter(step.fact))
        elif isinstance(step.fact, Block):
            parts = split(self.speaker.block(step.fact))
            self._try(step, lambda: [entry for part in parts for entry in self.server.enter(part)], served)
        else:
            self._say(step, self.speaker.envelope(step.fact), served)

    def _say(self, step: Step, envelope: Envelope, served: Served) -> None:
        text = write(envelope)
        if text in self._messages:
            self._again(step, envelope, self._messages[text])
            served.known += 1
        elif self._try(step, lambda: self.server.enter(envelope), served):
            self._messages[text] = len(step.derived)

    def _try(self, step: Step, enter: Callable[[], list[Derived]], served: Served) -> bool:
        """Whether both take it. Raises Unequal."""
        try:
            real = enter()
        except CommonweightError as error:
            if error.code != step.code:
                said = f"{error.code}: {error.detail}"
                raise Unequal(f"{step.fact} is {step.code or 'taken'}, the service says {said}") from error
            served.refused[step.code] += 1
            return False
        if step.code:
            raise Unequal(f"{step.fact} is {step.code}, the service takes it")
        self._follow(step, real)
        return True

    def _follow(self, step: Step, real: list[Derived]) -> None:
        self.comparison.entered(step.fact)
        self.comparison.check(step.derived, real)
        self.log += [step.fact, *step.derived]

    def _again(self, step: Step, envelope: Envelope, followed: int) -> None:
        """What stands in the log is answered as it was, and changes nothing."""
        size = self.server.size
        answered = len(self.server.enter(envelope))
        if not step.code or (self.server.size, answered) != (size, followed):
            raise Unequal(f"{step.fact} is {step.code or 'taken again'}, the service has it")

    def finish(self, served: Served) -> None:
        """The whole log as an audit reads it, the ends and the books. Raises Unequal and Differs."""
        entries = list(self.server.audit())
        real = [self.names.renamed(entry) for entry in entries]
        kinds = [type(entry).__name__ for entry in self.log]
        if [type(entry).__name__ for entry in real] != kinds:
            raise Unequal("the log has other kinds of entries")
        served.kinds, served.ends = Counter(kinds), ends(self.log)
        if ends(real) != served.ends:
            raise Unequal(f"the ends are {served.ends}, the service's {ends(real)}")
        with self.server.store.read() as session:
            check_books(session, entries)
        served.documents = check_documents(self.server.store, DOMAIN)


def serve(seed: int, strategy: str | None, folder: Path) -> Served:
    """Play a seed in both, in an empty folder. Raises Different."""
    history, steps = recorded(sayable(seed, strategy))
    service, served = Service(folder), Served(seed, history.strategy)
    try:
        for step in steps:
            service.enter(step, served)
        service.finish(served)
    except (Unequal, CommonweightError, AssertionError, ValueError, LookupError) as error:
        what = f"{type(error).__name__}: {error}"
        raise Different(seed, history.strategy, len(service.log), what) from error
    finally:
        service.server.close()
    return served
