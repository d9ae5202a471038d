"""A contribution's signers are checked before all of its signatures: a stranger's message costs one recovery."""

from __future__ import annotations

from contracts.ids import RunId
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


def check_first(envelope: Envelope, domain: Domain, members: tuple[str, ...]) -> None:
    """A contribution has no more signatures than its run has maintainers, and the first is one of theirs; whether all
    are, the machine says. Raises NotBound and BadSignature."""
    if len(envelope.signatures) > len(members):
        raise NotBound(f"{len(envelope.signatures)} signatures, and the run has {len(members)} maintainers")
    first = recover(envelope.message, domain, envelope.signatures[0])
    if first not in members:
        raise NotBound(f"{first} is no maintainer; the holders vote on `maintainers`")
