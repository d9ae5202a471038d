"""Signers of a contribution or an invoice are checked before all of its signatures: a stranger's message costs one
recovery."""

from __future__ import annotations

from eth_utils import to_checksum_address

from contracts.ids import RunId
from contracts.messages.for_log import Invoice
from contracts.messages.signatures import Domain, recover
from contracts.protocol.judge.errors import NotBound
from contracts.protocol.judge.rules.presence import live_run
from contracts.protocol.judge.state import State
from contracts.protocol.log.signed import Envelope
from contracts.protocol.maintainers import InvalidMaintainers, Maintainers
from contracts.protocol.run_config import InvalidRunConfig, RunConfig


def maintainers(state: State, run: RunId) -> tuple[str, ...]:
    """Maintainers of a live run, by its configuration of now. Raises UnknownSubject and RunEnded."""
    try:
        return Maintainers.parse(RunConfig.from_json(live_run(state, run).config).maintainers).members
    except (InvalidRunConfig, InvalidMaintainers) as error:
        raise NotBound(error.detail) from error


def renter_of(envelope: Envelope) -> tuple[str, ...]:
    """The renter of an invoice, if it is one."""
    return (to_checksum_address(envelope.message.renter),) if isinstance(envelope.message, Invoice) else ()


def check_first(envelope: Envelope, domain: Domain, members: tuple[str, ...]) -> None:
    """A contribution has no more signatures than its run has maintainers, and the first is one of theirs; of an invoice
    it may be the renter's, who signs beside them, and then the second is one. Whether all are, the machine says. Raises
    NotBound and BadSignature."""
    renter = renter_of(envelope)
    if len(envelope.signatures) > len({*members, *renter}):
        raise NotBound(f"{len(envelope.signatures)} signatures, and the run has {len(members)} maintainers")
    for signature in envelope.signatures[: 1 + len(renter)]:
        signer = recover(envelope.message, domain, signature)
        if signer in members and signer not in renter:
            return
        if signer not in renter:
            raise NotBound(f"{signer} is no maintainer; the holders vote on `maintainers`")
    if len(envelope.signatures) > len(renter):
        raise NotBound("the renter signs once, and maintainers beside it")
