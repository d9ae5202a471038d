"""The rules of retention in one place: the files of a node's, a verifier's or a server's folder, and until when.

Every file that such a process writes belongs to one part; tests/verifier/service/test_folders.py holds that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.files.whole_file import PART

WITH_ROUND = "until the round is over"
WITH_LOG = "as long as the log"
ALWAYS = "always"


class NoFolder(CommonweightError):
    """A folder that is not there, or holds nothing of a node, a verifier or a server."""

    code = "no-folder"


@dataclass(frozen=True)
class Rule:
    """A part of a folder: the prefix of its paths, its meaning, and until when it is kept."""

    begins: str
    what: str
    until: str


RULES = (
    Rule("log/leaves", "copy of the log", WITH_LOG),
    Rule("log/", "position of this process in the log", ALWAYS),
    Rule("states/", "start weights and optimizer states of rounds", WITH_ROUND),
    Rule("boundaries/", "boundary states of large rounds", "until the proof is decided"),
    Rule("outbox/", "signed messages and their bytes", "until the log shows them and verifiers hold the bytes"),
    Rule("losses/", "training losses of this node, by its own word", "the newest 100,000 rows of a run"),
    Rule("told.json", "results of proofs that were reported", "the last 4,096"),
    Rule("mirrors.json", "addresses of mirrors", ALWAYS),
    Rule("mirror/log.db", "copy of the log", WITH_LOG),
    Rule("mirror/messages.db", "messages that the log lacks", "until the log has them"),
    Rule("mirror/blobs/held/", "blobs that messages announce", "until their round's epoch is final"),
    Rule("mirror/blobs/coming/", "uploads under way", "until they end, or the process starts again"),
    Rule("mirror/blobs/", "list of announced blobs", "until the round's epoch is final"),
    Rule("mirror/", "tables of the mirror", ALWAYS),
    Rule(
        "merged/",
        "outer steps that the mirror does not have yet",
        "until they are signed, or their round's epoch is final",
    ),
    Rule("queue/", "tasks and results", "until they are answered, or their round's epoch is final"),
    Rule("jobs.db", "jobs of the workers", "until their round's epoch is final; abandoned jobs for a week"),
    Rule("said.db", "verdicts that were signed", "until their proof's epoch is final"),
    Rule("signatures.db", "signatures for the chain", "until the chain has them"),
    Rule("residuals/", "residuals of bounded runs, a file a node", ALWAYS),
    Rule("verifier.secret", "secret of the verifier; never delete it", ALWAYS),
    Rule("replica.json", "position of the machine of rules in the log", ALWAYS),
    Rule("log-failed.json", "evidence against the log", "until it is removed by hand"),
    Rule("ledger.db", "the log, books and views", WITH_LOG),
    Rule("blobs/", "blobs that messages announce", "until they are removed by hand; verifiers hold the needed ones"),
    Rule("machine/", "snapshots of the machine", "the newest two"),
    Rule("payout-trees/", "payout trees of epochs", "until they are removed by hand; they are computed again"),
    Rule("genesis-checked", "deployments whose genesis was checked", ALWAYS),
)


@dataclass(frozen=True)
class KeptPart:
    """A part in a folder: files, bytes, and its rule; a part without a rule is not ours."""

    part: str
    files: int
    size: int
    what: str
    until: str


def kept(folder: Path) -> list[KeptPart]:
    """The parts of a folder, the largest first. Raises NoFolder."""
    groups: dict[Rule | None, list[int]] = {}
    for name, size in _files(folder):
        groups.setdefault(rule_of(name), []).append(size)
    if not any(groups):
        raise NoFolder(f"{folder} holds nothing of a node, a verifier or a server; give the --folder of one")
    lines = [_line(rule, sizes) for rule, sizes in groups.items()]
    return sorted(lines, key=lambda line: line.size, reverse=True)


def rule_of(name: str) -> Rule | None:
    """The rule for a file, by its path below the folder; None for a file that is not ours."""
    plain = name.removesuffix("-wal").removesuffix("-shm").removesuffix("-journal")
    return next((rule for rule in RULES if plain == rule.begins or _is_below(plain, rule.begins)), None)


def _is_below(name: str, begins: str) -> bool:
    return name.startswith(begins) and (begins.endswith("/") or name.endswith(PART))


def _line(rule: Rule | None, sizes: list[int]) -> KeptPart:
    if rule is None:
        return KeptPart("(other files)", len(sizes), sum(sizes), "files of other programs", "as you like")
    return KeptPart(rule.begins, len(sizes), sum(sizes), rule.what, rule.until)


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Paths and sizes of a folder that a process may be changing."""
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                yield str(path.relative_to(folder)), path.stat().st_size
        except FileNotFoundError:
            continue
