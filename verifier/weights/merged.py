"""The weights that a round was merged to, taken home: what a server gives counts as the cosigned log has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.ids import Address, RunId, to_hex
from contracts.protocol.judge.entries import RoundMerged, RoundOpened
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.leaf import read_derived
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import Tensors, layout_of, packed_size, state_digest, unpack
from contracts.wire.rounds import Round
from contracts.wire.runs import Run
from trainer.client import ApiClient
from trainer.model.layout import theta_layout
from verifier.proof.bundle import BundleSource
from verifier.proof.fetching import blob_sources
from verifier.receipt.cosigned_log import CosignedLog, VerifierQuorum, read_cosigned

LOOK_BACK = 64
"""Rounds that are asked for the newest merge: a server may show a million."""
Entry = TypeVar("Entry", RoundMerged, RoundOpened)


class NothingMerged(CommonweightError):
    """No round of the run, or not this one, has weights that k verifiers computed alike."""

    code = "nothing-merged"


class WeightsLost(CommonweightError):
    """Nobody gives the bytes of weights that the log names."""

    code = "weights-lost"


@dataclass(frozen=True)
class MergedWeights:
    """Weights `theta.*` after a round; `digest` (0x-hex) stands in the log at `entry`."""

    config: RunConfig
    theta: Tensors
    digest: str
    round: int
    entry: int


def merged_weights(
    client: ApiClient,
    deployment: Deployment,
    quorum: VerifierQuorum,
    run: RunId,
    number: int | None,
    seconds: float,
    waits: Callable[[str], None] = lambda _: None,
) -> MergedWeights:
    """The weights after a round, by default the newest merge that the server shows: it may hide a newer one.

    Raises NothingMerged, WeightsLost, HeadsApart, InvalidLeaf, and what asking and reading raise.
    """
    shown = client.read(Run, f"/runs/{run}")
    current = _merged(client, run, [number] if number is not None else _newest(shown.round))
    assert current.merge is not None, "it was looked for"
    anchors = sorted(anchor.entry for anchor in shown.verifiers)
    log = read_cosigned(client, deployment, quorum, anchors, current.merge.entry + 1, seconds, waits)
    opened = _entry(log, current.entry, RoundOpened, (run, current.round))
    merged = _entry(log, current.merge.entry, RoundMerged, (run, current.round))
    config = RunConfig.from_json(opened.config)
    sources = blob_sources(deployment, log.reader, client.base_url, opened.verifiers)
    theta = _weights(merged.theta, config, _names(current, opened.verifiers), sources)
    return MergedWeights(config, theta, merged.theta, current.round, current.merge.entry)


def _newest(number: int) -> list[int]:
    """The newest rounds, the last one first: of one in which nothing was posted there is no merge to be shown."""
    return list(range(number, max(0, number - LOOK_BACK), -1))


def _merged(client: ApiClient, run: RunId, numbers: Sequence[int]) -> Round:
    for number in numbers:
        current = client.read(Round, f"/runs/{run}/rounds/{number}")
        if (current.run, current.round) != (run, number):
            raise InvalidLeaf(f"round {current.round} of {current.run} was shown for round {number} of {run}")
        if current.merge is not None:
            return current
    raise NothingMerged(f"round {numbers[0] if numbers else 0} of {run} is not merged yet")


def _entry(log: CosignedLog, index: int, kind: type[Entry], about: tuple[RunId, int]) -> Entry:
    entry = read_derived(log.text(index), kind)
    if (entry.run, entry.round) != about:
        raise InvalidLeaf(
            f"entry {index} is about round {entry.round} of {entry.run}, not round {about[1]} of {about[0]}"
        )
    return entry


def _names(current: Round, verifiers: Sequence[Address]) -> list[str]:
    """The names that the round's verifiers gave the bytes; one of them may have named others."""
    words = [current.merge, *(word for name, word in current.merges.items() if name in verifiers)]
    names = Counter(word.theta_blob.removeprefix("0x") for word in words if word is not None)
    return [name for name, _ in names.most_common()]


def _weights(digest: str, config: RunConfig, names: Sequence[str], sources: Sequence[BundleSource]) -> Tensors:
    """The first file whose tensors have the digest of the log."""
    most = config.weights_size or packed_size(theta_layout(config))
    for name, source in product(names, sources):
        data = source.get(name, most)
        theta = None if data is None else _read(data, config)
        if theta is not None and to_hex(state_digest(theta)) == digest:
            return theta
    raise WeightsLost(f"the weights {digest} cannot be had: neither the server nor a verifier's mirror gives them now")


def _read(data: bytes, config: RunConfig) -> Tensors | None:
    """The tensors of a file; None for one of another layout, or with numbers that are none.

    A file of one's own model names its layout, which the digest covers: taking it home needs no package.
    """
    try:
        return unpack(data, layout_of(data) if config.architecture == "own" else theta_layout(config))
    except InvalidTensorFile:
        return None
