"""The profiles that a run of several admits, from its creator's words (ADR 67)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contracts.ids import to_hex
from contracts.protocol.configuration.field_checks import invalid
from contracts.protocol.configuration.profiles import (
    EXACT,
    PORTABLE,
    SEVERAL,
    AdmittedProfile,
    parse_profiles,
    profiles_text,
)
from contracts.protocol.run_config import RunConfig
from trainer.steps.determinism import profile_of


def admitting(config: RunConfig, words: Sequence[str]) -> RunConfig:
    """The configuration of a run that admits these profiles, in this order; without words, as it is.

    `exact` and `portable` are those of this machine, `exact:DIGEST` is another machine's (64 hexadecimal digits, with
    or without 0x). Raises InvalidRunConfig.
    """
    if not words:
        return config
    if config.profile != EXACT:
        raise invalid("profile", f"must be left as it is where profiles are admitted, is {config.profile}")
    text = profiles_text(_profile(config, word) for word in words)
    parse_profiles(text)
    return replace(config, profile=SEVERAL, profiles=text)


def _profile(config: RunConfig, word: str) -> AdmittedProfile:
    name, _, digest = word.partition(":")
    if digest:
        return AdmittedProfile(name, digest)
    if name not in (EXACT, PORTABLE):
        raise invalid("profiles", f"must be {EXACT}, {PORTABLE} or {EXACT}:DIGEST, is {word[:80]!r}")
    return AdmittedProfile(name, to_hex(profile_of(replace(config, profile=name)).digest()))
