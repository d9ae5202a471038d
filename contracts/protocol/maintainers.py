"""The maintainers who vouch for code and data: k of n addresses that the holders set by a decision."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eth_utils import to_checksum_address

from contracts.errors import CommonweightError
from contracts.ids import Address, as_address

MOST = 32
_LONGEST = len("32:") + MOST * len("0x" + "00" * 20 + ",")
_SPELLING = re.compile(r"([1-9][0-9]?):(0x[0-9a-fA-F]{40}(?:,0x[0-9a-fA-F]{40})*)")


class InvalidMaintainers(CommonweightError):
    """The text names no quorum of maintainers."""

    code = "invalid-maintainers"
    status = 422


@dataclass(frozen=True)
class Maintainers:
    """`quorum` of `members` (checksum addresses) have to sign; nobody can where there are none."""

    quorum: int
    members: tuple[Address, ...]

    @classmethod
    def parse(cls, text: object) -> Maintainers:
        """Read "k:address,address,…", sorted, without repeats; "" is nobody. Raises InvalidMaintainers."""
        if text == "":
            return cls(0, ())
        match = _SPELLING.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
        if match is None:
            raise InvalidMaintainers(
                f"must be empty, or a quorum, a colon and at most {MOST} addresses joined by commas"
            )
        members = tuple(map(as_address, match[2].split(",")))
        if list(members) != sorted({to_checksum_address(m) for m in members}):
            raise InvalidMaintainers("must name checksum addresses, sorted, each once")
        quorum = int(match[1])
        if quorum > len(members) or len(members) > MOST:
            raise InvalidMaintainers(f"must have a quorum within its members, who are at most {MOST}")
        return cls(quorum, members)

    def __str__(self) -> str:
        return f"{self.quorum}:{','.join(self.members)}" if self.members else ""
