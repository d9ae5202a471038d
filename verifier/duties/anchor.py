"""Binding to a run: this machine has all that a replay needs, and anchors the next secrets in time (J6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from contracts.ids import RunId, from_hex, to_hex
from contracts.messages.for_log import RunTerms, VerifierAnchor
from contracts.protocol.configuration.profiles import SEVERAL
from contracts.protocol.judge.facts import Anchored
from contracts.protocol.limits import LimitTable, PairLimits
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import inner_digest
from contracts.tensors.tensorfile import state_digest
from trainer.data.corpora import Corpora
from trainer.data.corpus import OtherVocabulary, UnusableCorpus, WrongCorpus
from trainer.genesis.first_weights import choose_weights, first_theta
from trainer.model.own.errors import ModelPackageUnusable
from trainer.steps.computable import computable
from trainer.steps.determinism import profile_of
from trainer.steps.outer import zero_momentum
from trainer.steps.profile import BOUNDED, PORTABLE, NumericsProfile
from verifier.duties.world import World
from verifier.replay.files import joiner_inner
from verifier.replica.errors import NotPrepared
from verifier.signing.secrets import LENGTH, next_first

T = TypeVar("T")
UNPREPARED = (NotPrepared, WrongCorpus, UnusableCorpus, OtherVocabulary, ModelPackageUnusable)
"""Errors after which no replay here would be valid, and which time does not heal."""


@dataclass(frozen=True)
class PreparedRun:
    """A run that this machine can judge, and the numerics profile under which it does."""

    run: RunId
    profile: bytes


def prepare(world: World) -> PreparedRun | None:
    """None while the run is not in the log.

    Raises NotPrepared, WrongCorpus, UnusableCorpus, OtherVocabulary and ModelPackageUnusable: no replay here would be
    valid. A run whose text no round could use, or no merge could measure, gets no verifier, and so no node.
    """
    run = world.settings.run
    with world.replica.reading() as state:
        terms = world.replica.collected.terms.get(run)
        created = state.runs[run].created if run in state.runs else None
    if terms is None or created is None:
        return None
    text = created.config
    limits = created.limits
    config = RunConfig.from_json(text)
    Corpora(world.settings.text()).of(config).require_windows(config.context)
    choose_weights(world.settings.first_weights())
    _check_start(terms, config)
    if config.profile == SEVERAL:
        return PreparedRun(run, _first_readable(config))
    machine = profile_of(config)
    if config.profile == BOUNDED:
        _check_limits(limits, machine, terms.profiles)
    else:
        _check_listed(config, machine.digest(), terms.profiles)
    return PreparedRun(run, machine.digest())


def anchor(world: World, prepared: PreparedRun) -> None:
    """Sign the anchor that is due."""
    claims = [signed.claim for signed in world.voice.held() if isinstance(signed.claim, Anchored)]
    if any(claim.run == prepared.run for claim in claims):
        return
    with world.replica.reading() as state:
        run = state.runs[prepared.run]
        verifier = state.verifiers.get(world.address)
        if run.over or verifier is None or not verifier.admitted:
            return
        first = next_first(state, run, world.address, world.secrets)
    if first is None:
        return
    root = world.secrets.anchor(prepared.run, first)
    log_key = world.secrets.log_key().public
    name = from_hex(prepared.run)
    if world.voice.say(VerifierAnchor(name, world.address, root, LENGTH, first, prepared.profile, log_key)):
        world.say("anchored", first, detail=f"from round {first} on")


def _check_start(terms: RunTerms, config: RunConfig) -> None:
    """The run's first state follows from its configuration. Raises NotPrepared: a verifier anchors in no other run."""
    theta = first_theta(config)
    begins = (state_digest(theta), state_digest(zero_momentum(theta)), inner_digest(joiner_inner(config)))
    for name, computed, declared in zip(
        ("weights", "momentum", "optimizer state"), begins, (terms.genesis, terms.momentum, terms.inner), strict=True
    ):
        if computed != declared:
            raise NotPrepared(
                f"the run's first {name} are 0x{declared.hex()[:16]}…, they follow as 0x{computed.hex()[:16]}…"
            )


def _check_listed(config: RunConfig, own: bytes, listed: Collection[bytes]) -> None:
    """All nodes of an exact run compute as this machine, and those of a portable one may. Raises NotPrepared."""
    if own in listed and (config.profile == PORTABLE or len(set(listed)) == 1):
        return
    raise NotPrepared(
        f"this machine computes as the profile {to_hex(own)}, and the run's nodes may compute as "
        f"{', '.join(to_hex(profile) for profile in listed)}: no replay here would stand. Unset what "
        "changes arithmetic (MKL_CBWR, ATEN_CPU_CAPABILITY and their like), or use a machine like the creator's"
    )


def _first_readable(config: RunConfig) -> bytes:
    """The profile under which this machine judges in a run of several: its own where the run lists it, else the
    portable one. The rules seat every verifier for portable work, so one that cannot compute it judges nothing.

    Raises NotPrepared.
    """
    own = computable(config)
    portable = [profile.digest for profile in config.admitted if profile.name == PORTABLE]
    if not set(portable) <= own.keys():
        raise NotPrepared("this machine does not compute in the run's portable arithmetic, which each verifier reads")
    exact = [digest for digest in own if digest not in portable]
    if not own:
        listed = ", ".join(f"{name} {digest}" for name, digest in config.admitted)
        raise NotPrepared(f"this machine computes as none of the run's profiles ({listed}): use one like the creator's")
    return from_hex((exact or portable)[0])


def _check_limits(limits: str, own: NumericsProfile, profiles: Iterable[bytes]) -> None:
    """This machine can judge a node of one of the run's profiles, at least. Raises NotPrepared."""
    table = LimitTable.from_json(limits)
    comparable = {profile for pair in table.pairs if pair.separates for profile in _others(pair, own.digest().hex())}
    if own.deterministic:
        comparable.add(own.digest().hex())
    if comparable.isdisjoint(profile.hex() for profile in profiles):
        raise NotPrepared(
            f"the run's table of limits has no pair of this machine (0x{own.digest().hex()[:16]}…) and one of the "
            "profiles that its nodes may have: calibrate them, and open a run with that table"
        )


def _others(pair: PairLimits, own: str) -> set[str]:
    """The profiles that are compared with this one by a pair."""
    first, second = pair.profiles
    return {profile for profile, judged in ((first, second), (second, first)) if judged == own}
