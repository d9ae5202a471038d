"""How patient the relayer is, and what a transaction may cost."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_PAUSE, MAX_DOUBLINGS = 86_400, 30


@dataclass(frozen=True)
class RelayRules:
    """Times in seconds, fees in wei per gas.

    A transaction at the head of the line that is not mined after `replace_seconds` is signed again at its nonce for
    more, never above `max_fee`. What fails `attempts` times is dead; `backoff_seconds` doubles from try to try.
    """

    replace_seconds: int = 60
    max_fee: int = 500 * 10**9
    attempts: int = 8
    backoff_seconds: int = 15
    resend_seconds: int = 15
    lease_seconds: int = 10

    def pause(self, tries: int) -> int:
        """Seconds from failed try number `tries` to the next, at most a day."""
        doublings = min(max(0, tries - 1), MAX_DOUBLINGS)
        return min(LONGEST_PAUSE, self.backoff_seconds << doublings)
