"""A mirror's server: uvicorn on one address."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from contracts.mirrors.timed_protocol import HEADER_BYTES, TimedProtocol


def mirror_server(app: ASGIApp, host: str, port: int, protocol: type[TimedProtocol] = TimedProtocol) -> uvicorn.Server:
    """A server that its owner runs (`run` in a thread, `should_exit` to end it). Port 0 is a free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    return uvicorn.Server(config)


def port_of(server: uvicorn.Server) -> int:
    """The port of a server that has started."""
    return int(server.servers[0].sockets[0].getsockname()[1])
