"""uvicorn as a part of a command that heeds signals itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
import uvicorn
from starlette.types import ASGIApp

from commonweight.terminal.lifetime import Stop
from contracts.mirrors.crowding import OF_NETWORK
from contracts.mirrors.timed_protocol import HEADER_BYTES, TimedProtocol
from contracts.process.listening import listen

LAST_SECONDS = 10
"""For requests that are under way when the server is told to end."""
NOT_STARTED = 3
"""uvicorn's own exit status of a server whose start failed."""


class _Server(uvicorn.Server):
    """A server that leaves signals to the command: SIGHUP ends it too, and signals that nohup ignores stay ignored."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield


def serve_until(
    stop: Stop,
    app: ASGIApp,
    host: str,
    port: int,
    of_address: int = OF_NETWORK,
    leaving: Callable[[], None] = lambda: None,
) -> None:
    """Serve until `stop`, when `leaving` is called; requests under way are answered first. An address has `of_address`
    connections at most.

    Raises PortRefused, and Exit where the start failed.
    """
    listener = listen(host, port)
    connections = type("Connection", (TimedProtocol,), {"of_network": of_address})
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        log_config=None,
        timeout_graceful_shutdown=LAST_SECONDS,
        http=connections,
        ws="none",
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    server = _Server(config)

    def leave() -> None:
        server.should_exit = True
        leaving()

    stop.watched(leave)
    with listener:
        server.run(sockets=[listener])
    if not server.started:
        raise typer.Exit(NOT_STARTED)
