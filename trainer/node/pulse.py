"""Heartbeats: while a node's commitment is awaited, each mirror gets a new one well within the lease."""

from __future__ import annotations

import threading
from collections.abc import Callable

from contracts.ids import Address
from contracts.messages.for_log import LeaseRenewal

LONGEST_SECONDS = 10.0
SHARE = 4
"""Heartbeats in a lease."""


class Heartbeat:
    """A thread of heartbeats beside the node's loop. `send` brings a heartbeat to all mirrors."""

    def __init__(self, node: Address, step: Callable[[], int], send: Callable[[LeaseRenewal], None]) -> None:
        self._node = node
        self._step = step
        self._send = send
        self._stop = threading.Event()
        self._last = 0
        self._awaited: tuple[bytes, int] | None = None
        self._seconds = 1.0
        self._thread = threading.Thread(target=self._run, name="light-pulse", daemon=True)

    def start(self) -> None:
        """Start the thread; nothing is sent before `follow` names a round."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def follow(self, awaited: tuple[bytes, int] | None, lease_seconds: int) -> None:
        """The round (run, number) in which a commitment is awaited, or none."""
        if awaited != self._awaited:
            self._last = 0
        self._awaited, self._seconds = awaited, min(LONGEST_SECONDS, lease_seconds / SHARE)

    def beat(self) -> None:
        """One heartbeat, if a round is awaited.

        Each has to be another message, or it is no sign of life: its step is the node's, or one more than that of the
        last heartbeat.
        """
        awaited = self._awaited
        if awaited is not None:
            self._last = max(self._step(), self._last + 1)
            self._send(LeaseRenewal(awaited[0], awaited[1], self._node, self._last))

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.beat()
