"""Settings of a light node, and what it says while it works."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from contracts.chain.deployment import Deployment


@dataclass(frozen=True)
class LightSettings:
    """All settings of a light node. `deployment` names the contracts, the log's key and the first mirrors; `rpc_url` is
    a chain node that says who the verifiers are, or empty: then the log is believed.

    `cheat` names one of trainer.cheats, for tests and the demo; `canary_ppm` is the share of rounds, in parts per
    million, in which it keeps verifiers honest instead of being paid (trainer/canary.py). `look_seconds` lie between
    two looks at the log. `give_up_after` are the seconds after which a node ends to which neither the server nor any
    mirror answers; with 0 it waits for ever.
    `unjudged` enrols also where no verifier computes as this machine does.
    """

    api_url: str
    deployment: Deployment
    rpc_url: str
    run: str
    key: str = field(repr=False)
    payout: str
    folder: Path
    data: tuple[Path, ...] = ()
    from_round: int = 1
    cheat: str | None = None
    canary_ppm: int = 0
    look_seconds: float = 1.0
    give_up_after: float = 0.0
    unjudged: bool = False

    def loopback(self) -> bool:
        """Whether mirrors may be on this machine: where the server or the deployment's first mirrors are."""
        return any(_is_loopback(url) for url in (self.api_url, *self.deployment.first_mirrors().values()))


@dataclass(frozen=True)
class Progress:
    """What a node says while it works."""

    event: str
    round: int
    step: int = 0
    loss: float | None = None
    detail: str = ""


Report = Callable[[Progress], None]


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
