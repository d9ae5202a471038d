"""How often a node's proofs are audited, as a function of its public record, and whether one proof is.

The rate is in parts per million. It starts at 1 (every proof), halves with every `streak` consecutive proofs that were
*audited and accepted*, down to a floor, and is 1 again from the proof after a voided one. Then the next `probation`
proofs, all of them audited, count for nothing, and the way down starts from the top.

- Proofs that posted unaudited do not move the rate: nobody looked, so they are no evidence. The way down
  therefore takes streak · (1 + 2 + 4 + …) rounds of real work (about 56 to a floor of 0.2 with a streak of 8).
- The rate of a proof follows from what the log says *before* the proof; whether it is audited follows from a beacon
  *after* it. So a node cannot know, when it commits, whether anybody will look, and everybody can check that
  an unaudited proof was rightly left alone.
- The coin is public once the beacon is. A node that sees that it is audited may fall silent, so an opening withheld
  must cost the stake like a mismatch does; otherwise cheating is free.

Why building a record and cheating at the floor does not pay: the rate of any proof is at least the floor, so a
stake computed *at the floor* (`verifier/planning/audit_plan.py`) makes every single faked proof lose on average,
whatever came before it, and a sum of losses is a loss. The cost of building the record is sunk and is not counted on. A
stake computed at the first rate, 1, is next to nothing and is worth waiting for. Pay alone is no stake either: the
pending pay of the faked round is R and the last one another R, but at a floor of q it takes at least R / q in all,
twenty rounds' pay at 0.05; and what was paid out is gone with a node that leaves after its cheat.

Voids that are nobody's fault (a quorum that was missing) are left out of the sequence by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from contracts.errors import BadField, CommonweightError
from contracts.keccak import keccak256

MILLION = 1_000_000
"""Parts in the whole: the rate at which every proof is audited."""

_DOMAIN = b"commonweight audit"


class InvalidAuditPolicy(CommonweightError):
    """A parameter of the audit rule is out of range."""

    code = "invalid-audit-policy"
    status = 422


class ProofOutcome(Enum):
    """The outcome of one proof of a node in the log."""

    POSTED = "posted"
    """Audited and accepted."""
    UNAUDITED = "unaudited"
    """Posted because the coin left it alone."""
    VOIDED = "voided"
    """Rejected by a quorum, or an opening was withheld."""


@dataclass(frozen=True)
class AuditPolicy:
    """The rule's parameters: the least rate (parts per million), the audited accepts for one halving, and the
    audited accepts after a voided proof that do not count. Raises InvalidAuditPolicy."""

    floor_ppm: int = 200_000
    streak: int = 8
    probation: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.floor_ppm <= MILLION:
            raise InvalidAuditPolicy(f"floor_ppm must be between 1 and {MILLION}, is {self.floor_ppm}")
        if self.streak < 1 or self.probation < 0:
            raise InvalidAuditPolicy(f"streak must be at least 1 and probation at least 0: {self}")

    @property
    def accepts_to_floor(self) -> int:
        """Consecutive audited accepts that bring a new node to the floor."""
        halvings = 0
        while MILLION >> halvings > self.floor_ppm:
            halvings += 1
        return halvings * self.streak


@dataclass(frozen=True)
class AuditRecord:
    """All that the rule remembers of a node: `accepted` in a row that count, and `owed` that will not."""

    accepted: int = 0
    owed: int = 0

    def after(self, outcome: ProofOutcome, policy: AuditPolicy) -> AuditRecord:
        """The record once the log holds one more outcome."""
        if outcome is ProofOutcome.VOIDED:
            return AuditRecord(0, policy.probation)
        if outcome is ProofOutcome.UNAUDITED:
            return self
        if self.owed:
            return replace(self, owed=self.owed - 1)
        return replace(self, accepted=min(self.accepted + 1, policy.accepts_to_floor))

    def rate_ppm(self, policy: AuditPolicy) -> int:
        """The rate of the node's next proof, parts per million, between the floor and one million."""
        return max(policy.floor_ppm, MILLION >> (self.accepted // policy.streak))


def audit_rate(outcomes: Iterable[ProofOutcome], policy: AuditPolicy) -> int:
    """The rate, in parts per million, of the next proof of a node with these outcomes in the log, oldest first."""
    record = AuditRecord()
    for outcome in outcomes:
        record = record.after(outcome, policy)
    return record.rate_ppm(policy)


def is_audited(beacon: bytes, proof: bytes, rate_ppm: int) -> bool:
    """Whether the proof is audited: a coin that the beacon throws and anyone can throw again.

    `beacon` is the block hash after the commitment, `proof` the proof's id (32 bytes each). The modulo bias is below
    2^-230. Raises BadField.
    """
    if len(beacon) != 32 or len(proof) != 32:
        raise BadField("beacon and proof must be 32 bytes each")
    if not 0 <= rate_ppm <= MILLION:
        raise BadField(f"an audit rate is between 0 and {MILLION} parts per million, not {rate_ppm}")
    return int.from_bytes(keccak256(_DOMAIN + beacon + proof)) % MILLION < rate_ppm
