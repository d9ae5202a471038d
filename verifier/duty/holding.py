"""Whether a gradient is what its commitment says, and leads from the round's weights to the committed end (J5, J7)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.run_config import RunConfig
from contracts.tensorfile import state_digest, unpack
from trainer.reach import is_within_reach
from trainer.settled import after
from trainer.state import theta_layout
from verifier.duty.files import Files, weights_of


class GradientRefused(CommonweightError):
    """The bytes are the ones that the node named, and not what it committed to: nobody says `Has` of them."""

    code = "gradient-refused"


@dataclass(frozen=True)
class Held:
    """What a check of a gradient has to believe: digests are 0x-hex, blobs 64 hex digits, `size` in bytes."""

    config: str
    theta: str
    theta_blobs: tuple[str, ...]
    gradient: str
    blob: str
    size: int
    end: str

    def to_json(self) -> dict[str, Any]:
        """For a task."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Held:
        """What `to_json` gave."""
        return cls(**{**raw, "theta_blobs": tuple(raw["theta_blobs"])})


def check_gradient(asked: Held, files: Files) -> None:
    """Raises GradientRefused, and BytesMissing for what is not at hand."""
    config = RunConfig.from_json(asked.config)
    data = files.read(asked.blob)
    if len(data) != asked.size:
        raise GradientRefused(f"the gradient has {len(data)} bytes, {asked.size} were announced")
    try:
        gradient = unpack(data, theta_layout(config))
    except InvalidTensorFile as error:
        raise GradientRefused(error.detail) from error
    if "0x" + state_digest(gradient).hex() != asked.gradient:
        raise GradientRefused("the gradient is not the one that was committed to")
    weights = weights_of(files, config, asked.theta, asked.theta_blobs)
    if "0x" + state_digest(after(weights, gradient)).hex() != asked.end:
        raise GradientRefused("the round's weights less the gradient are not the committed end")
    if not is_within_reach(config, weights, gradient):
        raise GradientRefused("the gradient leads further than the round's steps can: no steps have it")
