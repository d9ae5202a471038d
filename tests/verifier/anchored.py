"""A signed run whose first verifier is anchored by the secret in a folder, as a verifier process is."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.ids import RunId, to_hex
from contracts.messages import for_log as messages
from tests.contracts.protocol.log.signed_run import SignedRun, hashed
from verifier.signing.secrets import RoundSecrets


class AnchoredRun(SignedRun):
    """The secrets of `verifiers[0]` are those of the folder's file."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self._folder = folder
        super().__init__(**options)

    @cached_property
    def secrets(self) -> dict[str, list[bytes]]:
        """Each verifier's secrets, one a round."""
        found: dict[str, list[bytes]] = {
            v.address: [hashed("secret", v.address, i) for i in range(self.length)] for v in self.verifiers
        }
        first = self.verifiers[0].address
        own = RoundSecrets(self._folder / "verifier.secret", first)
        found[first] = [own.secret(RunId(to_hex(self.run)), 1, place) for place in range(self.length)]
        return found

    def see_others(self) -> None:
        """All but the first saw the closing entry, under the same root, and the beacon comes."""
        root = bytes.fromhex(next(iter(self.round.seen.values()))[2:])
        for verifier in self.verifiers[1:]:
            self.send(
                messages.Seen(self.run, self.round.number, verifier.address, self.round.closed_at, root), verifier
            )
        self.block()
