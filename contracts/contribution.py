"""Code and data beside compute: what a maintainers' message credits, and which of them it takes."""

from __future__ import annotations

from eth_utils import keccak

from contracts.errors import CommonweightError
from contracts.log_audit import Kind
from contracts.maintainers import Maintainers
from contracts.messages import CodeContribution, DataContribution
from contracts.run_config import RunConfig

Contribution = CodeContribution | DataContribution
CONTRIBUTIONS: dict[str, type[Contribution]] = {kind.__name__: kind for kind in (CodeContribution, DataContribution)}
LARGEST_WEIGHT = 2**128 - 1


class NotMaintainer(CommonweightError):
    """A contribution is not signed by a quorum of the run's maintainers, and by them alone."""

    code = "not-maintainer"
    status = 403


class WeightRefused(CommonweightError):
    """A weight of nothing, or one with which sums would leave 256 bits."""

    code = "weight-refused"
    status = 422


def kind_of(message: Contribution) -> Kind:
    """The kind that a message credits."""
    return Kind.CODE if isinstance(message, CodeContribution) else Kind.DATA


def subject_of(message: Contribution) -> str:
    """What was contributed, 0x-hex: a commit or a manifest is credited once in a model, whatever its weight."""
    named = (message.repo, message.commit) if isinstance(message, CodeContribution) else (message.manifest.hex(),)
    return "0x" + keccak(text="\n".join((type(message).__name__, *named))).hex()


def check_weight(message: Contribution) -> None:
    """Raises WeightRefused."""
    if not 1 <= message.weight <= LARGEST_WEIGHT:
        raise WeightRefused(f"weight must be between 1 and {LARGEST_WEIGHT}")


def check_quorum(config: RunConfig, signers: frozenset[str]) -> None:
    """Raises NotMaintainer unless `signers` (checksum addresses) are maintainers, and enough of them."""
    maintainers = Maintainers.parse(config.maintainers)
    strangers = sorted(signers - set(maintainers.members))
    if strangers or not maintainers.members:
        raise NotMaintainer(f"{', '.join(strangers) or 'nobody'} is no maintainer; the holders vote on `maintainers`")
    if len(signers) < maintainers.quorum:
        raise NotMaintainer(f"{len(signers)} of the {maintainers.quorum} maintainers that it takes have signed")
