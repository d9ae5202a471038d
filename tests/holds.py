"""The mark of a test that holds an invariant. `docs/invariants.md` is made from these marks (tests/invariants.py)."""

from __future__ import annotations

from enum import Enum

import pytest


class Threat(Enum):
    """What an invariant protects against; the value is its heading in the page."""

    FORGED_MESSAGE = "A message is forged, altered or sent again"
    REWRITTEN_LOG = "The log is rewritten, split or invented"
    SILENT_SERVER = "The server hides, drops or loses data"
    FALSE_WORK = "A node submits work that it did not do"
    BAD_VERIFIER = "A verifier lies, is late or is silent"
    UNLIKE_MACHINES = "Honest machines compute different bits"
    WRONG_PAY = "Pay reaches the wrong account, or reaches it twice"
    BAD_CHAIN = "The chain reorganizes, or its nodes lag or answer wrongly"
    CRASH = "A process is killed, writers collide, or a stored bit flips"
    FLOOD = "A party floods or delays the others"
    TAKEOVER = "A key or a majority takes over the model"
    LOST_FUNDS = "Stakes, deposits or revenue are lost or taken"
    UNTESTED_CODE = "The deployed code is not the tested code"


def holds(statement: str, *, by: str, against: Threat, also: str = "") -> pytest.MarkDecorator:
    """Mark a test that fails when the invariant `statement` is broken.

    `by` is the code that enforces it and `also` another test of it, both as `path/to/file.py:name`.
    `pytest -m holds` runs the tests of all invariants.
    """
    return pytest.mark.holds(statement, by=by, against=against, also=also)
