"""The quorum of maintainers for code and data to be paid beside compute."""

from __future__ import annotations

from contracts.errors import CommonweightError
from contracts.protocol.maintainers import Maintainers
from contracts.protocol.run_config import RunConfig


class NotMaintainer(CommonweightError):
    """A contribution is not signed by a quorum of the run's maintainers, and by them alone."""

    code = "not-maintainer"
    status = 403


def check_quorum(config: RunConfig, signers: frozenset[str]) -> None:
    """Raises NotMaintainer unless `signers` (checksum addresses) are maintainers, and enough of them."""
    maintainers = Maintainers.parse(config.maintainers)
    strangers = sorted(signers - set(maintainers.members))
    if strangers or not maintainers.members:
        raise NotMaintainer(f"{', '.join(strangers) or 'nobody'} is no maintainer; the holders vote on `maintainers`")
    if len(signers) < maintainers.quorum:
        raise NotMaintainer(f"{len(signers)} of the {maintainers.quorum} maintainers that it takes have signed")
