"""Transactions that the relayer sends for an account: waited for until they are mined."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from commonweight.terminal.progress import Progress
from contracts.errors import CommonweightError
from contracts.wire.relay import Transaction
from contracts.wire.states import CallState
from trainer.client import ApiClient

BROKEN = (CallState.REVERTED, CallState.FAILED, CallState.REFUSED, CallState.DEAD)
DONE = (CallState.MINED, CallState.FINAL)
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.3
AT_ONCE = 50
"""Transactions in one request."""


class ClaimFailed(CommonweightError):
    """The relayer's transaction did not go through."""

    code = "claim-failed"


def wait_for(client: ApiClient, calls: Collection[str], seconds: float = PATIENCE_SECONDS) -> list[Transaction]:
    """The server's lines of these transactions, each mined. Raises ClaimFailed, ApiProblem and ApiUnreachable."""
    end = time.monotonic() + seconds
    progress = Progress("transactions mined")
    while True:
        lines = _lines(client, sorted(calls))
        broken = [line for line in lines if line.state in BROKEN]
        if broken:
            raise ClaimFailed(f"{broken[0].id}: {broken[0].error or CallState.REVERTED}")
        done = sum(line.state in DONE for line in lines)
        if done == len(calls):
            return lines
        if time.monotonic() > end:
            raise ClaimFailed(
                "the transactions are not mined yet; run the command again: nothing is lost or paid twice"
            )
        progress(done, len(calls))
        time.sleep(LOOK_SECONDS)


def _lines(client: ApiClient, calls: Sequence[str]) -> list[Transaction]:
    parts = [calls[start : start + AT_ONCE] for start in range(0, len(calls), AT_ONCE)]
    return [line for part in parts for line in client.read_list(Transaction, "/transactions", call=part)]
