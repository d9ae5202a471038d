"""Outages of the sources that a process needs, told in few lines; and the end of a process that gives up."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contracts.errors import CommonweightError
from contracts.process.outage import Outage, duration

SERVER = ""
"""The server's name among the sources, whose others are verifiers' addresses."""


class GaveUp(CommonweightError):
    """No source answered for as long as the user wants to wait."""

    code = "gave-up"


class Weather:
    """The outages of one node or verifier. `say` takes a line; `give_up_after` are seconds, 0 for never."""

    def __init__(self, server: str, chain: str, say: Callable[[str], None], give_up_after: float) -> None:
        self._server = Outage(f"the server {server}", say)
        self._chain = Outage(f"the chain node {chain}", say)
        self._mirrors = Outage("a mirror that is needed", say)
        self._nobody = Outage("", lambda _line: None)
        self._give_up_after = give_up_after

    def look(self, troubles: Mapping[str, str | None], chain: str | None, needed: int) -> None:
        """Note the newest look: for each source and for the chain node the reason of its outage (None without one), and
        how many mirrors are needed.

        Raises GaveUp.
        """
        mirrors = {name: why for name, why in troubles.items() if name != SERVER}
        self._server.look(troubles.get(SERVER))
        self._chain.look(chain)
        if mirrors or not troubles.get(SERVER):  # where mirrors are is the server's to say
            self._mirrors.look(_too_few(mirrors, needed))
        self._nobody.look("away" if troubles and all(troubles.values()) else None)
        if 0 < self._give_up_after <= self._nobody.seconds:
            raise GaveUp(
                f"neither the server nor a mirror answered for {duration(self._nobody.seconds)} (--give-up-after); "
                "what was done is in the folder, and goes on from there at the next start"
            )


def _too_few(mirrors: Mapping[str, str | None], needed: int) -> str | None:
    """The line about too few mirrors, without which a process cannot act on new entries; None where they suffice."""
    answering = sum(why is None for why in mirrors.values())
    if answering >= needed:
        return None
    if not mirrors:
        return f"none has said where it is, and {needed} are needed"
    example = next((f"; {name}: {why}" for name, why in mirrors.items() if why is not None), "")
    return f"{answering} of {len(mirrors)} show the log, and {needed} are needed{example}"
