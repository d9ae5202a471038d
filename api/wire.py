"""Parameters of paths, and responses of documents that are JSON already."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from fastapi.responses import JSONResponse

from contracts.wire.fields import LARGEST

Number = Annotated[int, Path(ge=0, le=LARGEST)]


def as_it_is(document: object) -> JSONResponse:
    """A document that the ledger keeps as JSON, in the words of its route's class.

    It is neither read nor checked again here: a thousand lines of proofs would be, for each reader. A test client holds
    every answer of the suite against the class (tests/wire.py).
    """
    return JSONResponse(document)
