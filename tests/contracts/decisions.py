"""What anybody may have holders vote on: keys and values of every size, sign and script."""

from __future__ import annotations

from random import Random

from contracts.protocol.run_config import VOTABLE_KEYS, InvalidRunConfig, RunConfig

LONGEST = 2**20
ON_CHAIN = 32_768
_PIECES = (
    "0",
    "9",
    "-",
    "+",
    ".",
    "e",
    "E",
    "_",
    " ",
    "\t",
    "\0",
    "\u202e",
    "\u0660",
    "\u00b2",
    "\U0001d7d8",
    "\ufeff",
    "é",
    "nan",
    "inf",
    "0x",
    "1e9",
    "0e-999999999999999999",
    "None",
    "{}",
    "[",
    '"',
    "\\",
    "\n",
    "'; --",
    "#proposer=0x",
)


def random_decision(chance: Random, longest: int = LONGEST) -> tuple[str, str]:
    """A key and a value, either as it should be, nearly so, or anything."""
    key = chance.choice([*VOTABLE_KEYS, "seed", "rounds ", "", "ROUNDS", _text(chance, min(longest, 200))])
    kind = chance.randrange(6)
    if kind == 0:
        return key, str(chance.randrange(10**6))
    if kind == 1:
        return key, f"0.{chance.randrange(10**6)}"
    if kind == 2:
        return key, chance.choice("0123456789") * chance.randrange(1, min(longest, 10 ** chance.randrange(1, 7)))
    if kind == 3:
        return key, f"{chance.randrange(10)}e{chance.choice(['', '-'])}{'9' * chance.randrange(1, 40)}"
    return key, _text(chance, 10 ** chance.randrange(1, len(str(longest))))


def end_of(key: str, value: str) -> str:
    """Applied, or the reason why not. Anything else that is raised is a defect."""
    try:
        RunConfig().with_decision(key, value)
    except InvalidRunConfig as refused:
        return str(refused)
    return ""


def _text(chance: Random, longest: int) -> str:
    size, piece = chance.randrange(1, longest + 1), chance.choice(_PIECES)
    if chance.random() < 0.5:
        return (piece * size)[:size]
    return "".join(chance.choice(_PIECES) for _ in range(min(size, 400)))[:size]
