"""The weights and moments of a round's start: from the node's disk, or by digest from any source.

Everything is hashed before it is used. Weights that nobody gives yet are weather: they are asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.files.whole_file import replace_file, sweep
from contracts.ids import to_hex
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import inner_digest
from contracts.tensors.tensorfile import Layout, pack, packed_size, state_digest, unpack
from trainer.genesis.first_weights import first_theta
from trainer.model.layout import theta_layout
from trainer.model.state import Tensors, inner_of, layout, start_tensors

Fetch = Callable[[Sequence[str], int], tuple[str, bytes] | None]
"""Bytes by one of several BLAKE3 names, at most so many, with the name; None where nobody has them now."""


class StateLost(CommonweightError):
    """The moments that a node's next round starts from are not on its disk any more, or are spoilt there."""

    code = "state-lost"


class OtherGenesis(CommonweightError):
    """The run's first weights are not those that its configuration gives on this machine."""

    code = "other-genesis"


class States:
    """Files of weights and moments, named by their digests."""

    def __init__(self, folder: Path, fetch: Fetch) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        self._folder = folder
        self._fetch = fetch

    def theta(self, digest: str, config: RunConfig, genesis: bool, blobs: list[str]) -> Tensors | None:
        """The weights of a digest (0x-hex), None where no source gives them now. `genesis`: the run's first weights.

        Raises OtherGenesis, WeightsUnreachable and WrongWeights.
        """
        weights = self._kept("theta", digest, theta_layout(config))
        if weights is not None:
            return weights
        if genesis:
            return self._genesis(digest, config)
        return self._fetched(digest, config, blobs)

    def start(self, theta: Tensors, inner: str, config: RunConfig) -> Tensors:
        """A round's start: these weights, and the moments of a digest; zeros for a joiner's digest.

        Raises StateLost.
        """
        joiner = start_tensors(theta, None)
        if to_hex(inner_digest(joiner)) == inner:
            return joiner
        moments = {name: spec for name, spec in layout(config).items() if not name.startswith("theta.")}
        stored = self._kept("inner", inner, moments)
        if stored is None:
            raise StateLost(f"the moments {inner} of this node's last accepted round are not in its folder")
        return start_tensors(theta, stored)

    def remember(self, end: Tensors) -> str:
        """Write the moments of a round's end; returns their digest."""
        moments = inner_of(end)
        digest = to_hex(state_digest(moments))
        replace_file(self._path("inner", digest), pack(moments))
        return digest

    def forget_but(self, inner: set[str], theta: set[str]) -> None:
        """Remove all files but those of these digests."""
        paths = {self._path("inner", digest) for digest in inner} | {self._path("theta", digest) for digest in theta}
        for path in self._folder.glob("*.safetensors"):
            if path not in paths:
                path.unlink()

    def _genesis(self, digest: str, config: RunConfig) -> Tensors:
        theta = first_theta(config)
        if to_hex(state_digest(theta)) != digest:
            raise OtherGenesis("the run's first weights do not follow from its configuration here")
        return theta

    def _fetched(self, digest: str, config: RunConfig, blobs: list[str]) -> Tensors | None:
        """The first right blob: a verifier may have named another file, or one that no source gives."""
        most = packed_size(theta_layout(config))
        names = list(blobs)
        while names and (result := self._fetch(names, most)) is not None:
            name, data = result
            theta = _checked(data, digest, theta_layout(config))
            if theta is not None:
                replace_file(self._path("theta", digest), data)
                return theta
            names.remove(name)
        return None

    def _kept(self, kind: str, digest: str, expected: Layout) -> Tensors | None:
        try:
            return _checked(self._path(kind, digest).read_bytes(), digest, expected)
        except OSError:
            return None

    def _path(self, kind: str, digest: str) -> Path:
        return self._folder / f"{kind}-{digest.removeprefix('0x')}.safetensors"


def _checked(data: bytes, digest: str, expected: Layout) -> Tensors | None:
    try:
        tensors = unpack(data, expected)
    except CommonweightError:
        return None
    return tensors if to_hex(state_digest(tensors)) == digest else None
