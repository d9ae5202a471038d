"""The detection and the cost of audits, and the stake that makes every cheat lose: exact, in fractions.

One round pays R for work that costs an honest node C. A node that fakes c of N segments saves C · c/N. Its proof is
audited with probability q; then the faked part is seen with probability D(c), the stake S and the round's pay are
lost, and the cost stays spent. So a round with c faked segments is worth, on average,

    profit(c) = (1 - q D(c)) R - q D(c) S - C (1 - c/N),     against R - C for an honest one.

Two demands can be made of S, each for every c from 1 to N:

1. *deviation*: less than the honest round, `profit(c) < R - C`, hence  S > C c / (N q D(c)) - R;
2. *alone*: less than nothing, `profit(c) < 0`, hence  S > (R - C + C c/N) / (q D(c)) - R.

Where the pay covers the cost, the second is the stronger, and it rules out more: not even the honest part of a partly
faked round is worth handing in. Below cost the first is. `least_stake` is the larger of the two. At c = N they are
C/q - R, the usual rule, and R/q - R. The first is largest there, whatever the sample: a small fake saves little and is
seen rarely. The second is not: where few segments are seen, a single faked one decides, and a larger sample
lowers the stake.

One round is enough to look at. Both bounds fall as q rises, so the floor is the worst rate. After an unseen cheat a
node may do what it may do after an honest round, as an accepted proof counts the same; after a seen one it is no
better off. So the gain of any plan, however often it cheats, whatever record it built first, and also if it leaves
at once, is a sum of negative terms (`verifier/planning/audit_simulation.py` confirms that over all plans). Only whole
segments need a look: a node that fakes a part of one is seen just as often and saves less.

Assumed:

- a stake backs one proof at a time (m at risk at once need at most m stakes) and stays locked until the verdict;
- an opening withheld counts as a seen cheat, or no node would open a faked segment;
- reward, cost and stake are in one unit of value, and the reward is the highest that a round can pay;
- faking is free, and nobody steers the beacon.

The samples that are looked at (`readers`): all verifiers' as a rule, but a quorum of accepts posts a proof once the
others are late, so the stake relies on the quorum. If d of its k may sign unread, plan with a quorum of k - d. A fake
that any of them saw is replayed by all (ADR 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import comb

from contracts.errors import CommonweightError
from contracts.protocol.audit_rate import MILLION, AuditPolicy, AuditRecord, ProofOutcome

MARGIN = Fraction(1, 20)
"""Share by which the planned forfeit (stake and pay) exceeds the least one; at the least a cheat breaks even."""


class InvalidAuditPlan(CommonweightError):
    """Numbers that describe no audit."""

    code = "invalid-audit-plan"
    status = 422


@dataclass(frozen=True)
class AuditPlan:
    """An audit of rounds that pay `reward` for `steps` inner steps of `step_cost` each (all amounts in one unit).

    Each of `verifiers` replays `samples` of the `steps / segment` segments, of which `common` are the same for all
    (contracts/protocol/draw.py has one), the others its own. `end_check` is what checking one end state costs, in inner
    steps (two hashes of the state). Raises InvalidAuditPlan.
    """

    reward: Fraction
    step_cost: Fraction
    steps: int
    segment: int
    samples: int = 2
    verifiers: int = 3
    quorum: int = 2
    common: int = 1
    policy: AuditPolicy = field(default_factory=AuditPolicy)
    end_check: Fraction = Fraction(1, 5)

    def __post_init__(self) -> None:
        if self.reward <= 0 or self.step_cost < 0 or self.end_check < 0:
            raise InvalidAuditPlan("the reward must be above 0, step cost and end check at least 0")
        if not 1 <= self.segment <= self.steps or self.steps % self.segment:
            raise InvalidAuditPlan(f"steps ({self.steps}) must be a multiple of segment ({self.segment})")
        if not 1 <= self.samples <= self.segments or not 0 <= self.common <= self.samples:
            raise InvalidAuditPlan(
                f"samples must be between 1 and the {self.segments} segments, common between 0 and samples"
            )
        if not 1 <= self.quorum <= self.verifiers:
            raise InvalidAuditPlan("quorum must be between 1 and the number of verifiers")

    @property
    def segments(self) -> int:
        """Segments in a round, N."""
        return self.steps // self.segment

    @property
    def cost(self) -> Fraction:
        """Cost of an honest round, C."""
        return self.steps * self.step_cost

    @property
    def floor(self) -> Fraction:
        """The least audit rate, q."""
        return Fraction(self.policy.floor_ppm, MILLION)

    def seen(self, faked: int, readers: int | None = None) -> Fraction:
        """D: probability that an audit sees one of `faked` faked segments, with `readers` samples (default: quorum)."""
        n = self.segments
        own = self.samples - self.common
        if not 0 <= faked <= n:
            raise InvalidAuditPlan(f"{faked} of {n} segments cannot be faked")
        together = Fraction(comb(n - faked, self.common), comb(n, self.common))
        rest = n - self.common  # given that the common ones are clean, all faked ones are among these
        alone = Fraction(comb(max(0, rest - faked), own), comb(rest, own)) if together else Fraction(0)
        return 1 - together * alone ** (self.quorum if readers is None else readers)

    def detection(self, faked: int, rate: Fraction, rounds: int = 1, readers: int | None = None) -> Fraction:
        """Probability that a node that fakes `faked` segments in each of `rounds` rounds is caught at least once."""
        return 1 - (1 - rate * self.seen(faked, readers)) ** rounds

    def profit(self, faked: int, stake: Fraction, rate: Fraction) -> Fraction:
        """Mean profit of one round with `faked` faked segments; 0 faked is the honest one."""
        caught = rate * self.seen(faked)
        return (1 - caught) * self.reward - caught * stake - self.cost * (self.segments - faked) / self.segments

    def stake_against_deviation(self, faked: int, rate: Fraction) -> Fraction:
        """Above this stake `faked` faked segments are worth less than an honest round (demand 1)."""
        return self._saved(faked) / (rate * self.seen(faked)) - self.reward

    def stake_against_profit(self, faked: int, rate: Fraction) -> Fraction:
        """Above this stake a round with `faked` faked segments is worth less than nothing (demand 2)."""
        return (self.reward - self.cost + self._saved(faked)) / (rate * self.seen(faked)) - self.reward

    def needed(self, faked: int) -> Fraction:
        """The stronger of both demands at the floor, for one amount of cheating."""
        return max(self.stake_against_deviation(faked, self.floor), self.stake_against_profit(faked, self.floor))

    @property
    def worst(self) -> int:
        """The number of faked segments that needs the largest stake."""
        return max(range(1, self.segments + 1), key=self.needed)

    @property
    def least_stake(self) -> Fraction:
        """At any stake above this every cheat, at every rate from the floor up, has a profit below both 0 and R - C."""
        return max(Fraction(0), self.needed(self.worst))

    @property
    def least_deviation_stake(self) -> Fraction:
        """The weaker demand alone: above this no cheat beats honest work."""
        every = range(1, self.segments + 1)
        return max(Fraction(0), *(self.stake_against_deviation(c, self.floor) for c in every))

    @property
    def stake(self) -> Fraction:
        """The stake to ask for: the forfeit is MARGIN above the least, so that no cheat even breaks even."""
        return self.least_stake + MARGIN * (self.least_stake + self.reward)

    def mean_rate(self, rounds: int) -> float:
        """Mean audit rate of a new honest node over its first `rounds` rounds."""
        if rounds < 1:
            raise InvalidAuditPlan("rounds must be at least 1")
        records = {AuditRecord(): 1.0}
        total = 0.0
        for _ in range(rounds):
            following: dict[AuditRecord, float] = {}
            for record, chance in records.items():
                rate = record.rate_ppm(self.policy) / MILLION
                total += chance * rate
                audited = record.after(ProofOutcome.POSTED, self.policy)
                following[audited] = following.get(audited, 0.0) + chance * rate
                following[record] = following.get(record, 0.0) + chance * (1 - rate)
            records = following
        return total / rounds

    def verification_cost(self, rate: float) -> float:
        """The verifiers' computation together, as a share of the training that they check, at that mean audit rate."""
        a_proof = self.samples * self.segment + float(self.end_check)
        return rate * self.verifiers * a_proof / self.steps

    def _saved(self, faked: int) -> Fraction:
        return self.cost * faked / self.segments
