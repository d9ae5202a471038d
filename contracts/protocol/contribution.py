"""Who signs for code, data and invoices: a quorum of maintainers, and for an invoice its renter and account, too."""

from __future__ import annotations

from eth_utils import to_checksum_address

from contracts.errors import CommonweightError
from contracts.ids import Address, as_address
from contracts.messages.for_contracts import Message
from contracts.messages.for_log import Invoice
from contracts.protocol.maintainers import MOST, Maintainers
from contracts.protocol.run_config import RunConfig


class NotMaintainer(CommonweightError):
    """A contribution is not signed by a quorum of the run's maintainers, and by them alone."""

    code = "not-maintainer"
    status = 403


def own_signers(message: Message) -> tuple[Address, ...]:
    """Who signs beside the maintainers, each once: of an invoice its renter and its account (ADR 66)."""
    if not isinstance(message, Invoice):
        return ()
    own = (as_address(to_checksum_address(name)) for name in (message.renter, message.account))
    return tuple(dict.fromkeys(own))


def most_signatures(kind: type[Message]) -> int:
    """As many as a message of that kind may ever need: all maintainers, and an invoice's own two beside them."""
    return MOST + 2 if kind is Invoice else MOST


def check_quorum(config: RunConfig, signers: frozenset[str]) -> None:
    """Raises NotMaintainer unless `signers` (checksum addresses) are maintainers, and enough of them."""
    maintainers = Maintainers.parse(config.maintainers)
    strangers = sorted(signers - set(maintainers.members))
    if strangers or not maintainers.members:
        raise NotMaintainer(f"{', '.join(strangers) or 'nobody'} is no maintainer; the holders vote on `maintainers`")
    if len(signers) < maintainers.quorum:
        raise NotMaintainer(f"{len(signers)} of the {maintainers.quorum} maintainers that it takes have signed")
