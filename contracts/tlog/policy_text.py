"""The file of a policy (C2SP's tlog-policy): one line for each log, witness, group, and one for the quorum.

Words are parted by spaces and tabs; lines that are empty or start with # mean nothing. Bytes above 127 are kept as they
are and compared as bytes. A group names only witnesses and groups above it. Nothing in the file is signed: its giver
decides which heads are accepted under it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from contracts.tlog.keys import parse_vkey
from contracts.tlog.policy import InvalidPolicy, Policy, PolicyGroup, PolicyLog, PolicyWitness
from contracts.tlog.text import parse_decimal, shown

MAX_POLICY = 2**18
"""Bytes of the file."""

_BLANK = re.compile("[ \t]+")
_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_OPAQUE = "surrogateescape"


def format_policy(policy: Policy) -> bytes:
    """Logs, witnesses, groups, quorum: what parse_policy reads."""
    lines = [("log", log.key.vkey(), log.url) for log in policy.logs]
    lines += [("witness", f"{witness.name} {witness.key.vkey()}", witness.url) for witness in policy.witnesses]
    lines += [("group", f"{group.name} {group.threshold}", " ".join(group.members)) for group in policy.groups]
    lines += [("quorum", policy.quorum, "")]
    text = "".join(" ".join(word for word in line if word) + "\n" for line in lines)
    return text.encode(errors=_OPAQUE)


def parse_policy(data: bytes) -> Policy:
    """Raises InvalidPolicy, InvalidLogKey."""
    if len(data) > MAX_POLICY:
        raise InvalidPolicy(f"a policy must have at most {MAX_POLICY} bytes")
    if not data.endswith(b"\n") or _FORBIDDEN.search(data):
        raise InvalidPolicy("a policy is lines that end in a newline, without other control characters than tabs")
    reader = _Reader()
    for line in data[:-1].split(b"\n"):
        words = _BLANK.split(line.decode(errors=_OPAQUE).strip(" \t"))
        if words[0] and not words[0].startswith("#"):
            reader.read(words)
    return reader.policy()


class _Reader:
    """The lines so far."""

    def __init__(self) -> None:
        self._logs: list[PolicyLog] = []
        self._witnesses: list[PolicyWitness] = []
        self._groups: list[PolicyGroup] = []
        self._quorum: list[str] = []

    def read(self, words: list[str]) -> None:
        """One line, of the words that it consists of. Raises InvalidPolicy, InvalidLogKey."""
        kinds: dict[str, tuple[int, int, Callable[[list[str]], None]]] = {
            "log": (1, 2, self._log),
            "witness": (2, 3, self._witness),
            "group": (3, len(words), self._group),
            "quorum": (1, 1, self._name_quorum),
        }
        kind, *rest = words
        least, most, take = kinds.get(kind, (1, 0, self._log))
        if not least <= len(rest) <= most:
            raise InvalidPolicy(f"not a line of a policy: {shown(' '.join(words))}")
        take(rest)

    def policy(self) -> Policy:
        """Raises InvalidPolicy."""
        if len(self._quorum) != 1:
            raise InvalidPolicy(f"a policy has one quorum line, not {len(self._quorum)}")
        return Policy(tuple(self._logs), tuple(self._witnesses), tuple(self._groups), self._quorum[0])

    def _log(self, words: list[str]) -> None:
        self._logs.append(PolicyLog(parse_vkey(words[0]), *words[1:]))

    def _witness(self, words: list[str]) -> None:
        self._witnesses.append(PolicyWitness(words[0], parse_vkey(words[1]), *words[2:]))

    def _group(self, words: list[str]) -> None:
        name, threshold_text, *members = words
        self._check_above(members)
        all_of = {"all": len(members), "any": 1}
        threshold = all_of[threshold_text] if threshold_text in all_of else parse_decimal(threshold_text, InvalidPolicy)
        self._groups.append(PolicyGroup(name, threshold, tuple(members)))

    def _name_quorum(self, words: list[str]) -> None:
        self._check_above([word for word in words if word != "none"])
        self._quorum += words

    def _check_above(self, names: list[str]) -> None:
        above = {witness.name for witness in self._witnesses} | {group.name for group in self._groups}
        for name in names:
            if name not in above:
                raise InvalidPolicy(f"nothing above is called {shown(name)}")
