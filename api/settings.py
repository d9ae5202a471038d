"""All settings of the server process, from the environment (COMMONWEIGHT_...) or from the command line."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import CommonweightError


class MissingSetting(CommonweightError):
    """A setting without which the server cannot start."""

    code = "missing-setting"


@dataclass(frozen=True)
class ServerSettings:
    """Where things are. `operator_key` is 32 bytes hex: it signs heads of the log and pays gas, nothing else.

    With `other_rpc_urls` what is final is read from two nodes (contracts/evm/nodes.py); with `finality_depth` it lies
    so many blocks behind the newest. `allow_origins` are the pages whose scripts may read answers (CORS).
    `accept_lost_end` starts on a log whose end no mirror has, though it was signed (docs/restore.md).
    """

    rpc_url: str
    deployment: Path
    operator_key: str = field(repr=False)
    database_url: str
    blobs: Path
    max_blob_bytes: int = 256 * 2**20
    keeper: bool = True
    max_fee_per_gas: int = 500_000_000_000
    replace_seconds: int = 60
    attempts: int = 8
    lease_seconds: int = 10
    proposal_ppm: int = 1_000
    ballot_ppm: int = 10
    account_gas: int = 12_000_000
    daily_gas: int = 300_000_000
    accept_lost_end: bool = False
    other_rpc_urls: tuple[str, ...] = ()
    finality_depth: int | None = None
    allow_origins: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls) -> ServerSettings:
        """Read COMMONWEIGHT_SERVER, a JSON object of these fields. Raises MissingSetting."""
        text = os.environ.get("COMMONWEIGHT_SERVER")
        if text is None:
            raise MissingSetting("COMMONWEIGHT_SERVER is not set; start the server with `commonweight serve`")
        raw = json.loads(text)
        paths = {name: Path(raw[name]) for name in ("deployment", "blobs")}
        lists = {name: tuple(raw.get(name, ())) for name in ("other_rpc_urls", "allow_origins")}
        return cls(**{**raw, **paths, **lists})

    def to_environment(self) -> dict[str, str]:
        """The variable that `from_environment` reads."""
        fields = {name: str(v) if isinstance(v, Path) else v for name, v in vars(self).items()}
        return {"COMMONWEIGHT_SERVER": json.dumps(fields)}
