"""What k verifiers measured of a host together: each figure is one that k of them, at least, measured or exceeded.

So no k - 1 of them can make a host look better than an honest one measured it, and where k are honest none can make it
look worse. Fewer than k say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.hosts.signed import OLD_SECONDS
from contracts.ids import to_hex
from contracts.messages.for_market import MeasuredHost
from contracts.process.record import Record


@dataclass(frozen=True)
class Measured(Record):
    """`tokens` of the standard segment a second, in thousandths; `memory` in bytes; `received` and `sent` bytes a
    second that the host took and gave; `profile` and `standard` as 0x-hex; `signers` measured it, `at` the
    earliest of the k newest times."""

    tokens: int
    memory: int
    received: int
    sent: int
    profile: str
    standard: str
    signers: tuple[str, ...]
    at: int

    def is_old(self, now: int) -> bool:
        """Whether it was measured more than a week ago."""
        return now - self.at > OLD_SECONDS


def combined(reports: Iterable[MeasuredHost], k: int, standard: bytes | None = None) -> Measured | None:
    """Of checked reports about one host; the newest of each verifier counts. None where fewer than `k` agree on what
    was measured: the standard segment (this one, where it is given) and the profile of its bits.

    Of several profiles that k verifiers saw, the one that most saw counts.
    """
    newest: dict[tuple[bytes, bytes], dict[str, MeasuredHost]] = {}
    for report in sorted(reports, key=lambda one: one.measuredAt):
        if standard is None or report.standard == standard:
            newest.setdefault((report.standard, report.profile), {})[report.verifier] = report
    enough = [list(found.values()) for found in newest.values() if len(found) >= max(1, k)]
    if not enough:
        return None
    chosen = max(enough, key=lambda found: (len(found), max(one.measuredAt for one in found)))
    return Measured(
        tokens=_by_k([one.tokens for one in chosen], k),
        memory=_by_k([one.memory for one in chosen], k),
        received=_by_k([one.received for one in chosen], k),
        sent=_by_k([one.sent for one in chosen], k),
        profile=to_hex(chosen[0].profile),
        standard=to_hex(chosen[0].standard),
        signers=tuple(sorted(one.verifier for one in chosen)),
        at=_by_k([one.measuredAt for one in chosen], k),
    )


def _by_k(values: Sequence[int], k: int) -> int:
    """The largest figure that k of them reach."""
    return sorted(values, reverse=True)[max(1, k) - 1]
