"""The signers of a contribution: enough of the maintainers that the run's configuration of then names."""

from __future__ import annotations

from contracts.ids import RunId
from contracts.protocol.contribution import NotMaintainer, check_quorum
from contracts.protocol.judge.chain_events import Decided
from contracts.protocol.judge.entries import DecisionTaken, RoundOpened
from contracts.protocol.judge.facts import Block, Credited, Invoiced, RunCreated
from contracts.protocol.maintainers import InvalidMaintainers, Maintainers
from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from verifier.receipt.errors import WorkDiffers


class Vouchers:
    """Reads a receipt's entries about a run's configuration, in the order of the log.

    The verifiers that cosigned the head vouch that no such entry is left out: their machines credit nothing that enough
    maintainers of then have not signed.
    """

    def __init__(self, run: RunId) -> None:
        self._run = run
        self._decided: dict[int, Decided] = {}
        self._config: RunConfig | None = None
        self._stated = -1
        self.unchecked: list[str] = []

    def note(self, index: int, entry: RunCreated | RoundOpened | Block | DecisionTaken) -> None:
        """Note a configuration, or its change. Raises WorkDiffers."""
        if isinstance(entry, Block):
            self._decided |= {event.sequence: event for event in entry.events if isinstance(event, Decided)}
            return
        if entry.run != self._run:
            raise WorkDiffers(f"entry {index} is about another run than the epoch")
        if isinstance(entry, DecisionTaken):
            self._take(index, entry)
        else:
            self._config = _read(index, entry.config)
            self._stated = index

    def check(self, index: int, entry: Credited | Invoiced) -> str:
        """The maintainers that vouched for the credit of an entry: signatures are checked where the entry is read. Of
        an invoice neither renter nor payee is one of them.

        Raises WorkDiffers where they are not enough of the maintainers.
        """
        own = {entry.renter, entry.account} if isinstance(entry, Invoiced) else set()
        signers = [name for name in entry.signers if name not in own]
        names = ", ".join(signers)
        if self._config is None:
            reason = f"entry {index}: the receipt shows no configuration that names the run's maintainers"
            self.unchecked.append(f"that {names} are maintainers ({reason})")
            return names
        try:
            check_quorum(self._config, frozenset(signers))
            quorum = Maintainers.parse(self._config.maintainers).quorum
        except (NotMaintainer, InvalidMaintainers) as error:
            raise WorkDiffers(f"entry {index} by the configuration of entry {self._stated}: {error.detail}") from error
        return f"{names}: maintainers by entry {self._stated}, of whom it takes {quorum}"

    def _take(self, index: int, entry: DecisionTaken) -> None:
        if not entry.applied:
            return
        event = self._decided.get(entry.sequence)
        if event is None or self._config is None:
            raise WorkDiffers(f"entry {index} takes a decision that the receipt does not show")
        try:
            self._config = self._config.with_decision(event.key, event.value)
            self._stated = index
        except InvalidRunConfig as error:
            raise WorkDiffers(f"entry {index} takes a decision that no run can take: {error.detail}") from error


def _read(index: int, config: str) -> RunConfig:
    try:
        return RunConfig.from_json(config)
    except InvalidRunConfig as error:
        raise WorkDiffers(f"the configuration of entry {index}: {error.detail}") from error
