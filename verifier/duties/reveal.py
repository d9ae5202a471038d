"""The secret of a round, once its beacon is final on this verifier's own chain (J6)."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.ids import from_hex, to_hex
from contracts.messages.for_log import RoundSecret
from contracts.protocol.judge.facts import Anchored
from contracts.protocol.judge.rules.duties import Reveal
from verifier.duties.world import World


def reveal(world: World, duties: Iterable[Reveal]) -> None:
    """Show the secret that the anchor commits to. Raises LogWaits."""
    for duty in duties:
        anchor = _anchor(world, duty)
        if anchor is None:
            continue
        anchored, block = anchor
        if world.chain.final()[0] < block:
            continue
        if not world.secrets.owns(anchored):
            world.say("trouble", duty.round, detail="the anchor of this round is not of this folder's secret")
            continue
        index = duty.round - anchored.first
        secret = world.secrets.secret(anchored.run, anchored.first, index)
        nodes = world.secrets.path(anchored.run, anchored.first, anchored.length, index)
        message = RoundSecret(from_hex(duty.run), duty.round, world.address, secret)
        if world.voice.say(message, path=[to_hex(node) for node in nodes]):
            world.say("drawn", duty.round, detail="the round's secret is shown")


def _anchor(world: World, duty: Reveal) -> tuple[Anchored, int] | None:
    """The anchor that counts in the round, and the number of its beacon's block."""
    with world.replica.reading() as state:
        current = state.runs[duty.run].rounds.get(duty.round)
        anchored = current.anchors.get(world.address) if current else None
        if current is None or anchored is None or current.beacon is None:
            return None
        return anchored, current.beacon.block
