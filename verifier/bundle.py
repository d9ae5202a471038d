"""A proof with everything that was published about it, in a folder: what it takes to verify it without any server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from contracts.errors import CommonweightError
from contracts.signing import Domain
from trainer.client import ApiClient, BlobCorrupt


class BundleIncomplete(CommonweightError):
    """The folder is not a saved proof, or lacks a blob that the checks need."""

    code = "bundle-incomplete"


@dataclass(frozen=True)
class Bundle:
    """Reads like a client: `blob` and `domain` are all that the checks ask for."""

    folder: Path
    view: dict[str, Any]
    round: dict[str, Any]
    domain: Domain

    def blob(self, name: str) -> bytes:
        """Bytes under their BLAKE3 name. Raises BundleIncomplete and BlobCorrupt."""
        path = self.folder / "blobs" / name
        if not path.exists():
            raise BundleIncomplete(f"{self.folder} holds no blob {name[:16]}…; save the proof again")
        data = path.read_bytes()
        if blake3(data).hexdigest() != name:
            raise BlobCorrupt(f"{path} does not hold the bytes of its name")
        return data


def save_bundle(client: ApiClient, proof: str, folder: Path) -> Bundle:
    """Download a proof, its round and every blob of both. Raises ApiProblem."""
    view = client.get(f"/proofs/{proof}")
    current = client.get(f"/runs/{view['run']}/rounds/{view['round']}")
    names = {view["gradient_blob"], current["theta"]["blob"], *(o["blob"] for o in view["openings"].values())}
    limits = json.loads(current["config"])["limits_digest"]
    names |= {limits} - {"00" * 32}
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        (folder / "blobs" / name).write_bytes(client.blob(name))
    saved = {"proof": view, "round": current, "domain": client.domain.fields()}
    (folder / "bundle.json").write_text(json.dumps(saved, indent=1, sort_keys=True))
    return open_bundle(folder)


def open_bundle(folder: Path) -> Bundle:
    """Read what `save_bundle` wrote. Raises BundleIncomplete."""
    try:
        saved = json.loads((folder / "bundle.json").read_text())
        domain = Domain(int(saved["domain"]["chainId"]), str(saved["domain"]["verifyingContract"]))
        return Bundle(folder, saved["proof"], saved["round"], domain)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleIncomplete(f"{folder} holds no saved proof: {error}") from error
