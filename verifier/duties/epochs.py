"""The root of an epoch, as this verifier's machine derived it, when the log has all that this mirror held (J1, J2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.ids import from_hex
from contracts.messages.for_contracts import EpochRoot
from contracts.messages.for_log import LeaseRenewal
from contracts.protocol.judge.entries import EpochClosed
from contracts.protocol.judge.rules.duties import SignEpoch
from verifier.duties.world import World
from verifier.quorum.bringing import subject_of_epoch


def sign(world: World, duties: Iterable[SignEpoch], counts: Callable[[int], bool]) -> None:
    """Sign each root once. `counts` says whether this look saw log, chain and enough mirrors with so many entries."""
    due = list(duties)
    awaited = {duty.epoch for duty in due}
    world.epochs_seen = {key: last for key, last in world.epochs_seen.items() if key[0] in awaited}
    world.epochs_waited = {key for key in world.epochs_waited if key[0] in awaited}
    for duty in due:
        closing = world.replica.closings.get(duty.epoch)
        if closing is None or world.copy.signed <= closing[0]:
            continue
        index, closed = closing
        message = epoch_root(closed, world.deployment.model, index + 1, world.copy.root(index + 1))
        if not world.quorum.has(message) and _all_entered(world, duty.epoch, index, counts(index + 1)):
            _sign(world, closed, message)


def _all_entered(world: World, epoch: int, index: int, counts: bool) -> bool:
    """The log has, or has no use for, all messages held one whole look after the closing entry was seen."""
    key = (epoch, index)
    if world.epochs_seen.setdefault(key, None) is None:
        if counts and key in world.epochs_waited:
            world.epochs_seen[key] = max((held.sequence for held in world.messages.held()), default=0)
        world.epochs_waited.add(key)
    last = world.epochs_seen[key]
    if last is None:
        return False
    waiting = [held for held in world.messages.held() if held.sequence <= last]
    return all(isinstance(held.signed.message, LeaseRenewal) for held in waiting)


def _sign(world: World, closed: EpochClosed, message: EpochRoot) -> None:
    signature = world.voice.signature(message, world.epoch_domain)
    world.quorum.keep(subject_of_epoch(closed.epoch), message, world.address, signature)
    world.say("epoch signed", detail=f"epoch {closed.epoch}, {len(closed.lines)} payees, root {closed.root[:10]}…")


def epoch_root(closed: EpochClosed, model: str, size: int, root: bytes) -> EpochRoot:
    """The contracts' message for a closing entry, over the log of `size` entries that ends with it."""
    return EpochRoot(
        model=from_hex(model),
        epoch=closed.epoch,
        attempt=closed.attempt,
        root=from_hex(closed.root),
        total=closed.total,
        count=len(closed.lines),
        logSize=size,
        logRoot=root,
        settledAt=closed.settled_at,
        deadline=closed.deadline,
    )
