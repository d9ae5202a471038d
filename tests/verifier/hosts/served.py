"""A host of tests that serves on loopback, honest unless a test makes it lie."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from contracts.hosts.standard import EXACT, standard_in
from contracts.ids import ZERO_ADDRESS, as_address, to_hex
from contracts.process.listening import listen
from contracts.protocol.run_config import RunConfig
from tests.contracts.hosts.offered import MODEL, NAMES, NOW, SUPPLIER
from trainer.steps import standard_segment
from verifier.hosts.challenged import Challenges
from verifier.hosts.host import Host, Terms
from verifier.hosts.renting import Renting
from verifier.hosts.serving import host_app
from verifier.mirror.http.serving import mirror_server, port_of

TINY = RunConfig(layers=1, d_model=16, heads=2, context=16, batch=2, steps=4, segment=1)


@dataclass
class Clock:
    """Unix seconds that a test moves."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class Served:
    """The parts of a served host, and where it answers."""

    host: Host
    challenges: Challenges
    renting: Renting | None
    clock: Clock = field(default_factory=Clock)

    @property
    def url(self) -> str:
        return self.host.terms.url


def terms(url: str, **changes: Any) -> Terms:
    """What the supplier says."""
    given: dict[str, Any] = {
        "url": url,
        "country": "SE",
        "gpu": "4090",
        "gpus": 1,
        "gpu_memory": 24,
        "cpus": 16,
        "memory": 64,
        "disk": 500,
        "price": 300_000,
        "payout": ZERO_ADDRESS,
        "contact": "-",
        "rents": False,
    }
    return Terms(**(given | changes))


def made(url: str, folder: Path, renters: tuple[str, ...] = (), kind: type[Challenges] = Challenges) -> Served:
    """A host that answers at an address; it rents to `renters`."""
    clock = Clock()
    account = as_address(SUPPLIER.address)
    host = Host(MODEL, bytes(SUPPLIER.key), account, terms(url, rents=bool(renters)), lambda: NAMES, clock)
    exact = standard_in(EXACT, TINY)
    host.profiles = {"exact": to_hex(standard_segment.profile_digest(exact))}
    challenges = kind(host, 2**22, standard=TINY)
    renting = (
        Renting(host, folder / "rented", renters, 7200, lambda: challenges.is_open, grace=2.0) if renters else None
    )
    if renting is not None:
        challenges.is_rented = lambda: renting.is_rented
    return Served(host, challenges, renting, clock)


@contextmanager
def answering(app: ASGIApp) -> Iterator[str]:
    """An application on loopback; its address."""
    server = mirror_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listen("127.0.0.1", 0)]}, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield f"http://127.0.0.1:{port_of(server)}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def served(folder: Path, renters: tuple[str, ...] = (), kind: type[Challenges] = Challenges) -> Iterator[Served]:
    """An honest host, or one whose challenges are of another kind."""
    made_app: list[ASGIApp] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await made_app[0](scope, receive, send)

    with answering(app) as url:
        one = made(url, folder, renters, kind)
        made_app.append(host_app(one.host, one.challenges, one.renting))
        try:
            yield one
        finally:
            if one.renting is not None:
                one.renting.close()
