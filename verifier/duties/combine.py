"""The outer step: computed from this verifier's own bytes, served before it is signed (J15)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from contracts.ids import RunId, from_hex
from contracts.messages.for_log import Merge
from contracts.protocol.judge.facts import MergeSigned
from contracts.protocol.judge.rules.duties import Combine
from verifier.duties.world import World
from verifier.mirror.store.announced import Announcement, BlobKind, BlobOrigin
from verifier.replay import asking
from verifier.replay.combining import MERGE, Basis, Step
from verifier.replay.question import ReplayRequest
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
        subject = asking.round_name(duty.run, duty.round)
        step = world.work.ask(ReplayRequest(MERGE, subject, "merge", basis), needs, starts)
        if step is not None:
            _sign(world, duty, step)


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
    origin = BlobOrigin(world.address, duty.run, duty.round + 1)
    for name, kind in ((step.theta_blob, BlobKind.WEIGHTS), (step.momentum_blob, BlobKind.MOMENTUM)):
        _keep(world, _left(world, duty.run, duty.round) / name, kind, origin)
    with world.replica.reading() as state:
        index = state.runs[duty.run].rounds[duty.round].merge_at
    root = world.root(index)
    if root is None:
        return
    message = Merge(
        from_hex(duty.run),
        duty.round,
        world.address,
        root,
        from_hex(step.theta),
        from_hex(step.momentum),
        bytes.fromhex(step.theta_blob),
        bytes.fromhex(step.momentum_blob),
        step.loss,
    )
    if world.voice.say(message):
        shutil.rmtree(_left(world, duty.run, duty.round), ignore_errors=True)
        for name in (step.theta_blob, step.momentum_blob):
            world.give_blob(name)
        world.say("merged", duty.round, detail=f"held-out loss {step.loss / 1e9:.4f}")


def tidy(world: World, rounds: Iterable[tuple[RunId, int]]) -> None:
    """Remove the files of merges of other rounds: other verifiers were quicker, and these files have no use."""
    wanted = {asking.place_of(*key) for key in rounds}
    folder = world.settings.folder / MERGED
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in wanted:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _left(world: World, run: RunId, number: int) -> Path:
    return world.settings.folder / MERGED / asking.place_of(run, number)


def _keep(world: World, file: Path, kind: BlobKind, origin: BlobOrigin) -> None:
    """Copy a worker's file into the mirror, which serves it to everybody."""
    if world.blobs.has(file.name) or not file.exists():
        return
    world.blobs.announce(Announcement(file.name, kind, file.stat().st_size, origin))
    with world.blobs.receive(file.name) as receiving:
        receiving.write(file.read_bytes())
        receiving.finish()
