"""Whether a gradient is the committed one, and leads from the round's weights to the committed end (J5, J7)."""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3

from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.ids import to_hex
from contracts.process.record import Record
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest, unpack
from trainer.model.layout import theta_layout
from trainer.steps.reach import is_within_reach
from trainer.steps.settled import after
from verifier.replay.files import Files, weights_of
from verifier.replay.question import ReplayTask

BEYOND = "the gradient leads further than the round's steps can: no steps have it"


class GradientRefused(CommonweightError):
    """The bytes are the ones that the node named, and not the committed gradient: no verifier signs `Has` of them."""

    code = "gradient-refused"


@dataclass(frozen=True)
class Question(Record):
    """A gradient's file and the weights that it leads from: one question for all commitments to the file, so that these
    are one job."""

    config: str
    theta: str
    theta_blobs: tuple[str, ...]
    blob: str

    @property
    def name(self) -> str:
        """The question's name, the same for every commitment, and for any files that hold the weights."""
        return f"{self.blob}/{self.theta}/{blake3(self.config.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Measured(Record):
    """The measurement of a gradient's file: its bytes, its digest and that of the end it leads to (0x-hex), and the
    reason why the file can be no node's gradient (empty without one)."""

    size: int
    gradient: str = ""
    end: str = ""
    detail: str = ""


HOLD = ReplayTask("duty.hold", Question, Measured)


@dataclass(frozen=True)
class Held:
    """A commitment's words about a gradient: digests are 0x-hex, blobs 64 hex digits, `size` in bytes."""

    config: str
    theta: str
    theta_blobs: tuple[str, ...]
    gradient: str
    blob: str
    size: int
    end: str

    @property
    def question(self) -> Question:
        """The question that has to be measured for the check."""
        return Question(self.config, self.theta, self.theta_blobs, self.blob)


def check_gradient(held: Held, files: Files) -> None:
    """Raises GradientRefused, and BytesMissing for blobs that are not at hand."""
    reason = refusal(held, measure(held.question, files))
    if reason:
        raise GradientRefused(reason)


def measure(question: Question, files: Files) -> Measured:
    """Measure a gradient's file. Raises BytesMissing for blobs that are not at hand."""
    config = RunConfig.from_json(question.config)
    data = files.read(question.blob)
    try:
        gradient = unpack(data, theta_layout(config))
    except InvalidTensorFile as error:
        return Measured(len(data), detail=error.detail)
    weights = weights_of(files, config, question.theta, question.theta_blobs)
    beyond = "" if is_within_reach(config, weights, gradient) else BEYOND
    digest, end = (to_hex(state_digest(part)) for part in (gradient, after(weights, gradient)))
    return Measured(len(data), digest, end, beyond)


def refusal(held: Held, measured: Measured) -> str:
    """The reason why a file is not the gradient of a commitment; empty where it is."""
    if measured.size != held.size:
        return f"the gradient has {measured.size} bytes, {held.size} were announced"
    if not measured.gradient:
        return measured.detail
    if measured.gradient != held.gradient:
        return "the gradient is not the one that was committed to"
    if measured.end != held.end:
        return "the round's weights less the gradient are not the committed end"
    return measured.detail
