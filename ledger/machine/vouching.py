"""Signers of a contribution or an invoice are checked before all of its signatures: a stranger's message costs one
recovery."""

from __future__ import annotations

from contracts.ids import RunId
from contracts.messages.signatures import Domain, recover
from contracts.protocol.contribution import own_signers
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


def check_first(envelope: Envelope, domain: Domain, members: tuple[str, ...]) -> None:
    """A contribution has no more signatures than its run has maintainers, and the first is one of theirs. Of an invoice
    renter and account sign beside them, each once, so that the third at the latest is one. Whether all are, the machine
    says. Raises NotBound and BadSignature."""
    own = set(own_signers(envelope.message))
    if len(envelope.signatures) > len({*members, *own}):
        raise NotBound(f"{len(envelope.signatures)} signatures, and the run has {len(members)} maintainers")
    for signature in envelope.signatures:
        signer = recover(envelope.message, domain, signature)
        if signer in own:
            own.remove(signer)
            continue
        if signer in members:
            return
        raise NotBound(f"{signer} is no maintainer, or signs twice; the holders vote on `maintainers`")
