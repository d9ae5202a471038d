"""docs/glossary.md: its words have code and entries that exist, and pages use the words of the field."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from contracts.messages import for_contracts, for_log
from contracts.messages.for_contracts import Message
from contracts.protocol.log.codec import slug
from contracts.protocol.log.leaf import KINDS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
FIELD = (
    *("message", "event", "key", "deployment", "index", "lease expired", "verifier set", "replaced verifier"),
    *("may still submit its verdict", "skipped audit", "sampling rate", "verifier accountability", "log audit"),
    *("incentive model", "fault detection", "slashable offence", "accepted invalid segment", "downtime"),
    *("phase timeout", "does not count against deadlines", "head follower", "unconfirmed", "applied", "fee bump"),
    *("highest-fee attempt", "external transaction", "requeued", "abandoned", "dead-lettered", "pending transaction"),
    *("simulate", "passed", "valid", "preimage", "commitment", "commit-reveal", "run id", "source of truth"),
)
"""What the plan of this house puts in the place of its own words."""
OWN = (
    *(r"slept", r"sleeps? through", r"the coin\b", r"coin spare", r"\bspare[sd]?\b", r"\bsparing\b", r"guilt"),
    *(r"pass(?:es|ed)? (?:a )?fakes?", r"\babsences?\b", r"\bpatience\b", r"\bforeign (?:hand|transaction)"),
    *(r"\bon (?:the )?sight\b", r"back in line", r"\bg[ia]ven? up\b", r"\bgiv(?:es|ing) up\b", r"owed to the chain"),
    *(r"carr(?:y|ies|ied|ying)(?: \w+)? out", r"\btried out\b", r"what stands\b", r"\bown(?:s|ed|ing)? up\b"),
    *(r"\bdearest\b", r"\btip\b", r"\bb[io](?:nd|und)s? (?:it|them|one|your)sel", r"\bsits? down\b"),
)
"""Words that stood for them before."""


def rows() -> list[list[str]]:
    """Word, meaning, code, entry."""
    lines = [line for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_row_is_whole_and_in_its_place() -> None:
    words = [row[0] for row in rows()]
    assert words == sorted(set(words))
    assert 30 <= len(words) <= 45
    for word, meaning, code, entry in rows():
        assert meaning[0].isupper(), word
        assert meaning.endswith("."), word
        assert re.fullmatch(r"`[\w/]+\.py:[\w.]+`", code), word
        assert re.fullmatch(r"-|`[a-z-]+`", entry), word


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_the_code_of_a_word_exists(row: list[str]) -> None:
    path, _, name = row[2].strip("`").partition(":")
    holder: ast.Module | ast.ClassDef = ast.parse((ROOT / path).read_text())
    for part in name.split("."):
        known = {n.name: n for n in holder.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        assert part in known, f"{row[0]}: {row[2]}"
        found = known[part]
        holder = found if isinstance(found, ast.ClassDef) else holder


def test_every_entry_is_a_kind_of_the_log_or_a_signed_message() -> None:
    named = [*vars(for_contracts).values(), *vars(for_log).values()]
    signed = {slug(kind) for kind in named if isinstance(kind, type) and issubclass(kind, Message)}
    for row in rows():
        assert row[3] == "-" or row[3].strip("`") in signed | set(KINDS), row[0]


@pytest.mark.parametrize("word", FIELD)
def test_the_glossary_has_the_word_of_the_field(word: str) -> None:
    assert word in GLOSSARY.read_text().lower()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_the_words_of_the_field(page: Path) -> None:
    """But for names in code, and codes that are stored."""
    text = re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", "", page.read_text(), flags=re.DOTALL)
    found = [match.group() for word in OWN for match in re.finditer(word, text, re.IGNORECASE)]
    assert found == []
