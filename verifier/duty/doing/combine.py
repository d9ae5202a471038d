"""The outer step: computed from one's own bytes, served before it is signed (J15)."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.protocol.judge.duties import Combine
from contracts.protocol.judge.facts import MergeSigned
from contracts.protocol.messages import Merge
from verifier.duty import asking
from verifier.duty.combining import Basis, Step
from verifier.duty.world import World
from verifier.mirror.announced import Announcement, Kind, Place
from verifier.settings import MERGED


def combine(world: World, duties: Iterable[Combine]) -> None:
    """Compute, put the two files into the mirror, and sign."""
    for duty in duties:
        if _is_said(world, duty):
            continue
        basis = _basis(world, duty)
        if basis is None:
            continue
        needs = [blob for _, blob in basis.gradients]
        starts = (basis.theta_blobs, basis.momentum_blobs)
        answer = world.work.ask(duty.run, f"merge {duty.round}", "duty.merge", basis.to_json(), needs, starts)
        if answer is not None:
            _sign(world, duty, Step(**answer))


def _is_said(world: World, duty: Combine) -> bool:
    claims = [signed.claim for signed in world.voice.held()]
    return any(isinstance(c, MergeSigned) and (c.run, c.round) == (duty.run, duty.round) for c in claims)


def _basis(world: World, duty: Combine) -> Basis | None:
    with world.replica.reading() as state:
        current = state.runs[duty.run].rounds.get(duty.round)
        if current is None or current.merge_set is None:
            return None
        return asking.basis(world.replica.collected, current)


def _sign(world: World, duty: Combine, step: Step) -> None:
    place = Place(world.address, duty.run, duty.round + 1)
    for name, kind in ((step.theta_blob, Kind.WEIGHTS), (step.momentum_blob, Kind.MOMENTUM)):
        _keep(world, name, kind, place)
    with world.replica.reading() as state:
        index = state.runs[duty.run].rounds[duty.round].merge_at
    root = world.root(index)
    if root is None:
        return
    message = Merge(
        bytes.fromhex(duty.run[2:]),
        duty.round,
        world.address,
        root,
        bytes.fromhex(step.theta[2:]),
        bytes.fromhex(step.momentum[2:]),
        bytes.fromhex(step.theta_blob),
        bytes.fromhex(step.momentum_blob),
        step.loss,
    )
    if world.voice.say(message):
        for name in (step.theta_blob, step.momentum_blob):
            world.give_blob(name)
        world.say("merged", duty.round, detail=f"held-out loss {step.loss / 1e9:.4f}")


def _keep(world: World, name: str, kind: Kind, place: Place) -> None:
    """From where a worker left it into the mirror, which serves it to everybody."""
    file = world.settings.folder / MERGED / name
    if world.blobs.has(name) or not file.exists():
        return
    world.blobs.announce(Announcement(name, kind, file.stat().st_size, place))
    with world.blobs.receive(name) as receiving:
        receiving.write(file.read_bytes())
        receiving.finish()
    file.unlink(missing_ok=True)
