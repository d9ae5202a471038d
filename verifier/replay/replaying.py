"""One segment, replayed whole: the word that its bytes lead to (J9 to J11).

- replayed with the trainer's own step from the state that the node committed to it ends in the committed entry; else
  `false`, replay. In a run with limits the claimed end is compared within them, and residuals that push one way are
  `drift`;
- states from which no honest step can start are `false`, not finite.

Nothing else convicts: missing bytes prove nothing, and a file that does not hold the committed state is `unserved`. An
opening names the file of a boundary, and an opening is of one log: for another log the same node may have signed
another one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.ids import Address, from_hex, to_hex
from contracts.process.record import BigNumber, Record
from contracts.protocol.faults import trace_of
from contracts.protocol.limits import LimitTable, PairLimits
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import unpack
from trainer.data.batches import BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import RoundDraw, share_of
from trainer.model.state import Tensors, layout, step_count
from trainer.steps.determinism import profile_of
from trainer.steps.inner_step import NonFiniteLoss
from trainer.steps.settled import settled
from trainer.steps.trajectory import replay_segment
from verifier.comparison.bounded import residual
from verifier.comparison.compare import CAP, EXACT_LIMIT, SCALE, compare, limits_for
from verifier.comparison.drift import ALIGNMENT_LIMIT, Drift, Residual
from verifier.replay.files import BytesMissing, Files, weights_of
from verifier.replay.labour import Bounded, CostsTooMuch
from verifier.replay.labour import TookTooLong as TookTooLong
from verifier.replay.question import ReplayTask

TRUE, FALSE, DRIFT, UNSERVED = 1, 2, 3, 4
"""uint8 of a word, as contracts/protocol/log/signed.py:WORDS has them."""
REPLAY, NOT_FINITE = 1, 2
"""uint16 of a reason, as contracts/protocol/log/signed.py:REASONS has them."""
MOST_STEPS = 10_000 * 1_000_000
"""No run has more inner steps."""


class CannotCompare(CommonweightError):
    """This machine has no way to compare with the node's: no word at all."""

    code = "cannot-compare"


@dataclass(frozen=True)
class Segment(Record):
    """The question of a replay. `start` and `end` are the opened entries (0x-hex, 64 bytes), `*_blob` the files that
    the node named; `nodes` are all that were listed in the round; `theta` the round's weights, on which the last
    segment's end depends; `common` whether all seats replay the segment."""

    config: str
    round: int
    node: Address
    nodes: tuple[Address, ...]
    profile: str
    data_seed: str
    segment: int
    start: str
    start_blob: str
    end: str
    end_blob: str
    theta: str
    theta_blobs: tuple[str, ...]
    common: bool
    limits: str = ""


@dataclass(frozen=True)
class Said(Record):
    """A word: `measured` and `limit` in 1e-18; `trace` (0x-hex) of the common segment, empty for others."""

    segment: int
    word: int
    reason: int = 0
    measured: BigNumber = 0
    limit: BigNumber = 0
    trace: str = ""
    detail: str = ""


@lru_cache(maxsize=64)
def computed_by(config: str, profile: str) -> RunConfig:
    """The configuration by which a node of this profile (0x-hex) computed. Raises InvalidRunConfig."""
    return RunConfig.from_json(config).under(profile)


JUDGE = ReplayTask("duty.replay", Segment, Said)


class _NotServed(Exception):
    """The file that a node named does not hold the state that it committed to."""


class _False(Exception):
    """A reason that convicts."""

    def __init__(self, reason: int, detail: str, measured: int = 0) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.measured = measured


def judge_segment(
    segment: Segment, files: Files, corpus: Corpus, memory: Path | None = None, seconds: float = math.inf
) -> Said:
    """The word on a segment: `unserved` too where its files hold other states than the committed ones, or states that
    no processor gets through. `memory` is where residuals of a bounded run are followed.

    Raises BytesMissing, CannotCompare, WrongCorpus, ModelPackageUnusable, and TookTooLong where a step begins after so
    many seconds: then there is no word.
    """
    config = computed_by(segment.config, segment.profile)
    corpus.require(config.corpus_digest)
    pair = _pair(config, segment)
    batches = Bounded(config, _batches(config, segment, corpus), seconds)
    inside: list[bytes] = []
    try:
        measured, limit, word = _judge(config, segment, files, batches, pair, inside, memory)
        result = Said(segment.segment, word, measured=measured, limit=limit)
    except _False as finding:
        result = Said(segment.segment, FALSE, finding.reason, finding.measured, EXACT_LIMIT, detail=finding.detail)
    except (CostsTooMuch, _NotServed) as error:
        return Said(segment.segment, UNSERVED, detail=str(error))
    return replace(result, trace=to_hex(trace_of(inside)) if segment.common else "")


def _judge(
    config: RunConfig,
    segment: Segment,
    files: Files,
    batches: Bounded,
    pair: PairLimits | None,
    inside: list[bytes],
    memory: Path | None,
) -> tuple[int, int, int]:
    """Measured error, limit and word, `true` or `drift`; a bounded `false` too is a reason that convicts."""
    start = _opened(files, config, segment.start_blob, segment.start)
    end = _replay(config, segment, start, batches, inside)
    if segment.segment == config.segments - 1:
        end = settled(weights_of(files, config, segment.theta, segment.theta_blobs), end)
    if pair is None and to_hex(boundary_entry(end)) == segment.end:
        return 0, EXACT_LIMIT, TRUE
    if pair is None:
        raise _False(REPLAY, "replays to another state", _measured(config, segment, files, start, end))
    claimed = _opened(files, config, segment.end_blob, segment.end)
    comparison = compare(config, start, claimed, end, pair)
    if not comparison.equal:
        raise _False(
            REPLAY, f"replays to another state: {comparison.metric} beyond {comparison.limit}", comparison.error
        )
    if memory is not None:
        drift = _followed(memory / f"{segment.node}.json", segment, residual(start, claimed, end))
        if drift.suspicious:
            return int(drift.alignment * SCALE), int(ALIGNMENT_LIMIT * SCALE), DRIFT
    return comparison.error, comparison.limit, TRUE


def _opened(files: Files, config: RunConfig, blob: str, entry: str) -> Tensors:
    """The state that a node committed to, from the file that it named. Raises BytesMissing."""
    try:
        state = unpack(files.read(blob), layout(config), finite=False)
    except InvalidTensorFile as error:
        raise _NotServed(f"the file that the node named is no state: {error.detail}") from error
    if to_hex(boundary_entry(state)) != entry:
        raise _NotServed("the file that the node named does not hold the state that it committed to")
    try:
        return _finite(state)
    except NonFiniteLoss as error:
        raise _False(NOT_FINITE, str(error)) from error


def fetch_shards(segment: Segment, corpus: Corpus) -> None:
    """Have the shards that a segment reads on this machine before its replay's time begins.

    Raises CorpusUnreachable, WrongCorpus and DiskFull.
    """
    config = RunConfig.from_json(segment.config)
    share = share_of(segment.node, segment.nodes)
    draw = RoundDraw(corpus, config, from_hex(segment.data_seed), segment.round, share)
    windows = config.segment * config.batch
    for shard in draw.shards_of(np.arange(segment.segment * windows, (segment.segment + 1) * windows)):
        shard.read()


def _batches(config: RunConfig, segment: Segment, corpus: Corpus) -> BatchSource:
    share = share_of(segment.node, segment.nodes)
    return batch_source(corpus, config, from_hex(segment.data_seed), segment.round, share)


def _replay(config: RunConfig, segment: Segment, start: Tensors, batches: Bounded, inside: list[bytes]) -> Tensors:
    if not 0 <= step_count(start) <= MOST_STEPS:
        raise _False(NOT_FINITE, f"the start counts {step_count(start)} steps")

    def note(state: Tensors) -> None:
        inside.append(boundary_entry(_finite(state)))

    try:
        end = _finite(replay_segment(config, start, segment.segment, batches, note if segment.common else None))
        batches.check()
        return end
    except (NonFiniteLoss, ArithmeticError) as error:
        raise _False(NOT_FINITE, f"from its start on: {error}") from error


def _finite(state: Tensors) -> Tensors:
    """A state with the same bits on all machines: those of NaN are each machine's own. Raises NonFiniteLoss."""
    bad = next((name for name, value in state.items() if not np.all(np.isfinite(value))), None)
    if bad is not None:
        raise NonFiniteLoss(f"{bad} holds NaN or infinity")
    return state


def _measured(config: RunConfig, segment: Segment, files: Files, start: Tensors, end: Tensors) -> int:
    """The error of the claimed end, where its bytes are at hand; the reason convicts without them."""
    try:
        claimed = _opened(files, config, segment.end_blob, segment.end)
    except (BytesMissing, _False, _NotServed):
        return CAP
    return compare(config, start, claimed, end).error


def _pair(config: RunConfig, segment: Segment) -> PairLimits | None:
    """Limits of the two machines, None for an exact comparison. Raises CannotCompare and ModelPackageUnusable."""
    own = profile_of(config)
    try:
        table = LimitTable.from_json(segment.limits) if segment.limits else None
        return limits_for(config, from_hex(segment.profile), own, table)
    except CommonweightError as error:
        raise CannotCompare(error.detail) from error


def _followed(file: Path, segment: Segment, gap: Residual) -> Drift:
    """A node's residuals with this one. A job that runs twice counts once."""
    drift = Drift.load(file)
    if drift.add_once(f"{segment.round}/{segment.segment}", gap):
        drift.save(file)
    return drift
