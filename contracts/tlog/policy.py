"""The signatures that make a checkpoint good (C2SP's tlog-policy): logs, witnesses, groups of them, and a quorum.

A group is met by at least `threshold` of its members, witnesses or groups named before it. A checkpoint is good if a
log of the policy signed it and the quorum is met by its cosigners. contracts/tlog/policy_text.py reads and
writes the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.errors import CommonweightError
from contracts.tlog.checkpoint import Checkpoint, verify_checkpoint
from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.keys import SignatureType, VerifierKey
from contracts.tlog.note import NoteNotSigned, SignedNote
from contracts.tlog.text import shown

NONE = "none"
"""The quorum that asks for no witness."""

MAX_PARTS = 256
"""Logs, witnesses and groups of a policy, of each."""

_WORD = re.compile(r"[^\x00-\x20\x7f]+")


class InvalidPolicy(CommonweightError):
    """A policy that says nothing, or two things."""

    code = "invalid-policy"
    status = 422


class PolicyNotMet(CommonweightError):
    """A checkpoint that too few cosigned, or whose log the policy does not know."""

    code = "policy-not-met"
    status = 403


@dataclass(frozen=True)
class PolicyLog:
    """A log by its key, which bears its origin's name."""

    key: VerifierKey
    url: str = ""


@dataclass(frozen=True)
class PolicyWitness:
    """A witness by its key, under a name that means something in this policy only."""

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True)
class PolicyGroup:
    """Met by at least `threshold` of its members."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Accepted:
    """A good checkpoint, and when each witness of the policy that signed it did, in seconds since 1970."""

    checkpoint: Checkpoint
    cosigned: Mapping[str, int]


@dataclass(frozen=True)
class Policy:
    """Logs, witnesses and groups, in an order in which each group comes after its members. Raises InvalidPolicy."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[PolicyGroup, ...]
    quorum: str

    def __post_init__(self) -> None:
        if max(len(self.logs), len(self.witnesses), len(self.groups)) > MAX_PARTS:
            raise InvalidPolicy(f"a policy has at most {MAX_PARTS} logs, witnesses and groups each")
        _check_keys([log.key for log in self.logs], SignatureType.NOTE)
        _check_keys([witness.key for witness in self.witnesses], SignatureType.COSIGNATURE)
        names = _check_names([witness.name for witness in self.witnesses], self.groups)
        if self.quorum not in {*names, NONE}:
            raise InvalidPolicy(f"no witness and no group is called {shown(self.quorum)}")
        urls = [log.url for log in self.logs] + [witness.url for witness in self.witnesses]
        for url in filter(None, urls):
            check_word(url)

    def check(self, note: SignedNote) -> Accepted:
        """The checkpoint that this note is.

        Raises PolicyNotMet, and BadLogSignature if anything stands under the name and id of a key of the policy that
        this key did not sign.
        """
        checkpoint = self._signed(note)
        cosigned = self._cosigned(note)
        if self.quorum not in self._met(set(cosigned)):
            signers = ", ".join(sorted(cosigned)) or "nobody"
            raise PolicyNotMet(f"{self.quorum} asks for others than {signers}")
        return Accepted(checkpoint, cosigned)

    def _signed(self, note: SignedNote) -> Checkpoint:
        checkpoints = []
        for log in self.logs:
            try:
                checkpoints.append(verify_checkpoint(note, log.key))
            except NoteNotSigned:
                continue
        if not checkpoints:
            raise PolicyNotMet("no log of the policy signed this checkpoint")
        return checkpoints[0]

    def _cosigned(self, note: SignedNote) -> dict[str, int]:
        times = {}
        for witness in self.witnesses:
            try:
                times[witness.name] = verify_cosignature(note, witness.key)
            except NoteNotSigned:
                continue
        return times

    def _met(self, cosigned: set[str]) -> set[str]:
        """The names that are met if these witnesses signed."""
        met = {NONE} | cosigned
        for group in self.groups:
            if len(met & set(group.members)) >= group.threshold:
                met.add(group.name)
        return met


def k_of_n(log: VerifierKey, witnesses: Mapping[str, VerifierKey], k: int, group: str = "verifiers") -> Policy:
    """One log, and k of the named witnesses. Raises InvalidPolicy."""
    parts = tuple(PolicyWitness(name, key) for name, key in witnesses.items())
    return Policy((PolicyLog(log),), parts, (PolicyGroup(group, k, tuple(witnesses)),), group)


def check_word(word: str) -> None:
    """A name or address: no blank and no control character. Raises InvalidPolicy."""
    if not _WORD.fullmatch(word):
        raise InvalidPolicy(f"not one word: {shown(word)}")


def _check_keys(keys: Sequence[VerifierKey], kind: SignatureType) -> None:
    for key in keys:
        if key.kind != kind:
            raise InvalidPolicy(f"{key.name} has a key of type {key.kind.value}, not {kind.value}")
    if len({key.public for key in keys}) != len(keys):
        raise InvalidPolicy("a public key stands there twice")


def _check_names(witnesses: Sequence[str], groups: Sequence[PolicyGroup]) -> set[str]:
    """All names: each defined once, each a member of one group at most, after its definition."""
    names: set[str] = set()
    free: set[str] = set()
    for name, members in [*((name, None) for name in witnesses), *((group.name, group) for group in groups)]:
        check_word(name)
        if name in names or name == NONE:
            raise InvalidPolicy(f"the name {shown(name)} is taken")
        if members is not None:
            _check_group(members, free)
            free -= set(members.members)
        names.add(name)
        free.add(name)
    return names


def _check_group(group: PolicyGroup, free: set[str]) -> None:
    if len(set(group.members)) != len(group.members) or not set(group.members) <= free:
        raise InvalidPolicy(f"a member of {shown(group.name)} is unknown, or a member twice")
    if not 1 <= group.threshold <= len(group.members):
        raise InvalidPolicy(f"{shown(group.name)} cannot ask for {group.threshold} of {len(group.members)}")
