"""`Has`: this verifier holds these gradients, and each leads to the committed end (J5).

Workers are asked once about each file, however many commitments name it: a zero gradient under a hundred keys is one
job before an honest one. Each commitment's words about the file are compared here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from contracts.ids import ProofId, from_hex
from contracts.messages.for_log import Has
from contracts.protocol.judge import facts
from contracts.protocol.judge.rules.duties import Hold
from verifier.duties.world import World
from verifier.replay import asking
from verifier.replay.holding import HOLD, Held, refusal
from verifier.replay.question import ReplayRequest

MOST_PROOFS = 256
"""Proofs in one message: its leaf stays far below the largest."""


def hold(world: World, duties: Iterable[Hold]) -> None:
    """Check the gradients that came, and name all that passed in one message a round."""
    stated = {name for claim in world.voice.held() for name in _proofs(claim.claim)}
    passed: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, key, held in _asked(world, duties):
        if name not in stated and _passes(world, ProofId(name), key[1], held):
            passed[key].append(name)
    for (run, number), names in passed.items():
        proofs = tuple(from_hex(name) for name in names[:MOST_PROOFS])
        if world.voice.say(Has(from_hex(run), number, world.address, proofs)):
            world.say("holds", number, detail=f"{len(proofs)} gradients")


def _asked(world: World, duties: Iterable[Hold]) -> list[tuple[str, tuple[str, int], Held]]:
    with world.replica.reading() as state:
        names = [duty.proof for duty in duties if duty.proof in state.proofs]
        commitments = [(name, state.proofs[name].commitment) for name in names]
        log = world.replica.collected
        return [(name, (c.run, c.round), asking.held(state, log, name)) for name, c in commitments]


def _passes(world: World, name: ProofId, number: int, held: Held) -> bool:
    question = held.question
    needs = (held.blob,)
    request = ReplayRequest(HOLD, question.name, "hold", question)
    measured = world.work.ask(request, needs, (held.theta_blobs,))
    if measured is None:
        return False
    refused = refusal(held, measured)
    if refused and world.memory.said(f"proof/{name}/refused") is None:
        world.memory.once(f"proof/{name}/refused", refused)
        world.say("gradient refused", number, name, refused)
    return not refused


def _proofs(claim: object) -> tuple[str, ...]:
    return claim.proofs if isinstance(claim, facts.Has) else ()
