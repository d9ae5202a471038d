"""Binding to a run: what it needs is at hand here, and the next secrets are anchored in time (J6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from blake3 import blake3

from contracts.protocol.judge.facts import Anchored
from contracts.protocol.messages import RunTerms, VerifierAnchor
from contracts.run_config import RunConfig
from contracts.state_layout import inner_digest
from contracts.tensorfile import state_digest
from trainer.corpus import corpus_of
from trainer.outer import zero_momentum
from trainer.profile import BOUNDED, PORTABLE, configure_determinism
from trainer.state import initial_theta
from verifier.duty.errors import NotPrepared
from verifier.duty.files import joiner_inner
from verifier.duty.secrets import LENGTH, next_first
from verifier.duty.world import World

T = TypeVar("T")


@dataclass(frozen=True)
class Prepared:
    """A run that this machine can judge, and the numerics profile under which it does."""

    run: str
    profile: bytes


def prepare(world: World) -> Prepared | None:
    """None while the run is not in the log. Raises NotPrepared and WrongCorpus: no replay here could stand."""
    run = world.settings.run
    with world.replica.reading() as state:
        terms = world.replica.collected.terms.get(run)
        text = state.runs[run].created.config if run in state.runs else None
    if terms is None or text is None:
        return None
    config = RunConfig.from_json(text)
    corpus_of(world.settings.data).require(config.corpus_digest)
    _check_start(terms, config)
    _check_limits(world, config)
    own = configure_determinism(config.profile).digest()
    if config.profile not in (PORTABLE, BOUNDED) and set(terms.profiles) != {own}:
        raise NotPrepared("the run lets nodes compute under another numerics profile than this machine's")
    return Prepared(run, own)


def anchor(world: World, prepared: Prepared) -> None:
    """Sign the anchor that is due."""
    held = [signed.claim for signed in world.voice.held() if isinstance(signed.claim, Anchored)]
    if any(claim.run == prepared.run for claim in held):
        return
    with world.replica.reading() as state:
        run, verifier = state.runs[prepared.run], state.verifiers.get(world.address)
        if run.over or verifier is None or not verifier.admitted:
            return
        first = next_first(state, run, world.address, world.secrets)
    if first is None:
        return
    root, log_key = world.secrets.anchor(prepared.run, first), world.secrets.log_key().public
    name = bytes.fromhex(prepared.run[2:])
    if world.voice.say(VerifierAnchor(name, world.address, root, LENGTH, first, prepared.profile, log_key)):
        world.say("anchored", first, detail=f"from round {first} on")


def _check_start(terms: RunTerms, config: RunConfig) -> None:
    """The run begins where its configuration leads: nobody anchors in another one."""
    theta = initial_theta(config)
    begins = (state_digest(theta), state_digest(zero_momentum(theta)), inner_digest(joiner_inner(config)))
    for name, found, said in zip(
        ("weights", "momentum", "optimizer state"), begins, (terms.genesis, terms.momentum, terms.inner), strict=True
    ):
        if found != said:
            raise NotPrepared(f"the run's first {name} are 0x{said.hex()[:16]}…, they follow as 0x{found.hex()[:16]}…")


def _check_limits(world: World, config: RunConfig) -> None:
    if config.profile != BOUNDED:
        return
    table = world.settings.limits
    if table is None or not table.exists():
        raise NotPrepared("the run is bounded: its table of limits has to be given (limits)")
    if blake3(table.read_bytes()).hexdigest() != config.limits_digest:
        raise NotPrepared(f"{table} is another table of limits than the run's, 0x{config.limits_digest[:16]}…")
