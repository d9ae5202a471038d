"""JSON from outside must not be able to end the process.

py_ecc, which eth-account imports, raises Python's recursion limit to 100,000. The C decoder then follows 100 kB of "["
until the stack ends and takes the whole process with it; below the limit it raises RecursionError instead.
"""

from __future__ import annotations

import sys

RECURSION_LIMIT = 5_000


def bound_recursion() -> None:
    """Put the limit back; call it in every process that decodes somebody else's JSON, after its imports."""
    sys.setrecursionlimit(RECURSION_LIMIT)
