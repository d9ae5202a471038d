"""The relayer's times, the cap of its fees, and the accounts for which it pays."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_PAUSE = 86_400
MAX_DOUBLINGS = 30
PPM = 1_000_000


@dataclass(frozen=True)
class RelayRules:
    """Times in seconds, fees in wei per gas.

    The next transaction of a key that is not mined after `replace_seconds` gets a fee bump, never above `max_fee`. A
    call that fails `attempts` times is dead; `backoff_seconds` doubles from try to try.

    The relayer pays for proposals of accounts with `proposal_ppm` millionths of the votes or more, and for ballots of
    those with `ballot_ppm`; an account's calls of a day take `account_gas` at most, those of all accounts `daily_gas`.
    """

    replace_seconds: int = 60
    max_fee: int = 500 * 10**9
    attempts: int = 8
    backoff_seconds: int = 15
    resend_seconds: int = 15
    lease_seconds: int = 10
    proposal_ppm: int = 1_000
    ballot_ppm: int = 10
    account_gas: int = 12_000_000
    daily_gas: int = 300_000_000

    def pause(self, tries: int) -> int:
        """Seconds from failed try number `tries` to the next, at most a day."""
        doublings = min(max(0, tries - 1), MAX_DOUBLINGS)
        return min(LONGEST_PAUSE, self.backoff_seconds << doublings)
