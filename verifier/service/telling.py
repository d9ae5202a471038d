"""A verifier's reports of a look: parties that are away, troubles of the log, its own status, a stalled operator."""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts.process.outage import Troubles
from trainer.weather import Weather
from verifier.duties.progress import VerifierProgress
from verifier.duties.world import World
from verifier.mirror.exchange import handing_on
from verifier.service.stalls import SAY_SECONDS, stalled
from verifier.service.status import VerifierStatus, status_of
from verifier.settings import VerifierSettings

_AWAY = frozenset({handing_on.MirrorAnswer.UNREACHABLE, handing_on.MirrorAnswer.MISBEHAVED})


class Telling:
    """The reports of one verifier."""

    def __init__(
        self, settings: VerifierSettings, report: Callable[[VerifierProgress], None], troubles: Troubles
    ) -> None:
        self._report = report
        self._troubles = troubles
        self._quiet_until = 0.0
        self._log_failed = ""
        self._status: VerifierStatus | None = None
        self._weather = Weather(settings.api_url, settings.rpc_url, self._away, settings.give_up_after)

    def tell(self, world: World, look: handing_on.Look, chain: str | None, newest: int | None) -> None:
        """Report changes since the last look; `chain` is the reason why the own chain node is away, `newest` the time
        of its newest block.

        Raises GaveUp.
        """
        self._look(world, look, chain)
        self._stand(world)
        self._watch_blocks(world, newest)

    def _away(self, line: str) -> None:
        self._report(VerifierProgress("weather", detail=line))

    def _look(self, world: World, look: handing_on.Look, chain: str | None) -> None:
        """Report parties that are away, and troubles that keep the log from being read. Raises GaveUp."""
        failure = world.replica.failure
        failed = f"entry {failure.index}: {failure.detail}" if failure else ""
        if failed and failed != self._log_failed:
            self._report(VerifierProgress("log failed", detail=failed))
        self._log_failed = failed
        answers = (look.log, *look.mirrors)
        self._disk(world, look.full)
        if chain is None:  # else the reason why the log waits is reported already
            self._log_trouble(look.log)
        troubles = {answer.verifier: answer.detail for answer in answers if answer.outcome in _AWAY}
        self._weather.look({a.verifier: troubles.get(a.verifier) for a in answers}, chain, _others_needed(world))

    def _log_trouble(self, log: handing_on.Answer) -> None:
        """Report that the server's log cannot be taken over."""
        if log.outcome in _AWAY or not log.detail:
            self._troubles.ended("the server's log")
        else:
            self._troubles.failed("the server's log", f"{log.outcome}: {log.detail}")

    def _disk(self, world: World, full: str) -> None:
        """Report that blobs found no room. One that waits for its next try keeps the trouble from ending."""
        name = f"the disk of {world.settings.folder}"
        if full:
            self._troubles.failed(name, f"{full}; make room, it is tried again")
        elif not world.blobs.missing():
            self._troubles.ended(name)

    def _stand(self, world: World) -> None:
        """Report this verifier's status, whenever it changes."""
        with world.replica.reading() as state:
            status = status_of(state, state.runs.get(world.settings.run), world.address)
        if status != self._status:
            self._status = status
            self._report(VerifierProgress("status", status.round, detail=str(status)))

    def _watch_blocks(self, world: World, newest: int | None) -> None:
        """Report that the operator enters no block, again and again."""
        if newest is None or time.monotonic() < self._quiet_until:
            return
        with world.replica.reading() as state:
            trouble = stalled(state, world.replica.collected, newest)
        if trouble:
            self._quiet_until = time.monotonic() + SAY_SECONDS
            self._report(VerifierProgress("trouble", detail=trouble))


def _others_needed(world: World) -> int:
    """Number of others that a look needs to count: n - k of n verifiers."""
    cosigners = world.copy.judges()
    return max(0, len(cosigners.keys) - cosigners.k)
