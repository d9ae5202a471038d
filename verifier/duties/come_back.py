"""Back after a lapse: a signed head whose log holds the lapse (J12)."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.ids import from_hex
from contracts.messages.for_log import Return
from contracts.protocol.judge.facts import Returned
from contracts.protocol.judge.rules.duties import ComeBack
from verifier.duties.world import World


def come_back(world: World, duties: Iterable[ComeBack]) -> None:
    """Sign one return a lapse: the signed head grows with each look, and one of these heads is enough."""
    waiting = {signed.claim.run for signed in world.voice.held() if isinstance(signed.claim, Returned)}
    for duty in duties:
        size = world.copy.signed
        if duty.run in waiting or size <= duty.since:
            continue
        if world.voice.say(Return(from_hex(duty.run), world.address, size, world.copy.root(size))):
            world.say("returned", detail=f"after the lapse at entry {duty.since}")
