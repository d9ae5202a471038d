"""A house on loopback: its chain and its server behind sockets, and a keeper that goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from contracts.devnet.http import DevnetServer
from tests.commonweight.conftest import Command, Said
from tests.house import House
from tests.service.stage import address_of, halt


@dataclass(frozen=True)
class Online:
    """A house and where it is reached; called, it is the command with both addresses."""

    house: House
    command: Command
    api: str
    rpc: str

    def __call__(self, *words: object) -> Said:
        return self.command(*words, "--api", self.api, "--rpc-url", self.rpc)


@contextmanager
def online(house: House, command: Command) -> Iterator[Online]:
    """As long as the block lasts."""
    server = uvicorn.Server(uvicorn.Config(house.app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    with DevnetServer(house.place.chain, "127.0.0.1", 0, 3_600.0) as chain:
        thread.start()
        try:
            yield Online(house, command, address_of(server), chain.url)
        finally:
            halt(server, thread)


@contextmanager
def keeping(house: House) -> Iterator[None]:
    """The keeper's steps, one after the other, while a command waits for what it asked for."""
    stop = threading.Event()

    def keep() -> None:
        while not stop.wait(0.05):
            house.step()

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)


def deployment_file(house: House, folder: Path) -> Path:
    """The model's deployment, as others hand it around."""
    path = folder / "deployment.json"
    path.write_text(house.place.deployment.to_json())
    return path
