"""`Seen`: this verifier's chain is before the beacon, and its copy has the entry since which `Seen` is awaited (J5)."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.ids import from_hex
from contracts.messages.for_log import Seen
from contracts.protocol.judge.rules.duties import See
from verifier.duties.world import World


def see(world: World, duties: Iterable[See]) -> None:
    """Sign while the newest block of the own chain, final or not, is before the beacon's time. Raises LogWaits."""
    due = [duty for duty in duties if duty.index < world.copy.signed]
    if not due:
        return
    now = world.chain.newest_time()
    for duty in due:
        if now < duty.beacon_time:
            root = world.copy.root(duty.index + 1)
            if world.voice.say(Seen(from_hex(duty.run), duty.round, world.address, duty.index, root)):
                world.say("seen", duty.round, detail=f"entry {duty.index}, before the beacon")
