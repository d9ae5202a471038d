"""Whether a model's first parameters let each promise be kept.

Times, shares and sums have bounds on every chain that strangers can reach. A chain of one process (`PRIVATE_CHAINS`)
has none, and its tests need seconds where people need days: there only contradictions are refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.genesis.params import GenesisParams
from contracts.genesis.refused import GenesisRefused, require

PRIVATE_CHAINS = frozenset({1337, 31337})
HOUR = 3_600
DAY = 86_400
GRACE = 7 * DAY
"""Seconds in which a passed proposal can be queued, and a queued one can be executed (ModelTimelock.sol)."""
LONGEST_PAUSE = 14 * DAY
"""Seconds for which holders can stop minting (ModelToken.sol)."""
LONGEST_NAME = 31
"""Characters of a name: EIP-712 domains keep so many in one word."""
BOUNDS: dict[str, tuple[int, int]] = {
    "voting_delay": (HOUR, 30 * DAY),
    "voting_period": (DAY, 60 * DAY),
    "timelock_delay": (HOUR, 30 * DAY),
    "late_quorum_extension": (600, 30 * DAY),
    "challenge_window": (HOUR, 30 * DAY),
    "dispute_limit": (4 * DAY, 180 * DAY),
    "node_withdrawal_delay": (7 * DAY, 365 * DAY),
    "revenue_window": (DAY, LONGEST_PAUSE // 2),  # beyond it a pause of minting lies in what is shared
    "quorum_fraction": (1, 25),
    "threshold": (2, 100),
    "min_stake": (10**12, 10**24),
    "bond": (10**15, 10**21),
    "slash_cap": (10**12, 10**24),
    "node_slash_cap": (10**12, 10**24),
    "cap": (10**18, 2**91 - 1),
    "max_epoch_total": (10**15, 2**91 - 1),
    "quorum_floor": (10**18, 2**91 - 1),
    "proposal_threshold": (0, 2**91 - 1),
}
"""Least and most of each parameter. Seconds, per cent, signatures, wei, 1e-18 tokens: docs/settings.md says why."""
ROUND_BOUNDS: dict[str, tuple[int, int]] = {
    "funding_seconds": (2 * DAY, 365 * DAY),
    "funding_settlement": (DAY, 365 * DAY),
}
EPOCHS_TO_FLOOR = 1_000
"""Full epochs within which enough votes for a decision can exist."""
PROPOSING = DAY
"""Seconds after a challenge in which somebody proposes a decision on it."""


def check_terms(p: GenesisParams, verifiers: Sequence[str], chain_id: int) -> None:
    """Raise GenesisRefused unless the parameters are within bounds and do not contradict each other."""
    if chain_id not in PRIVATE_CHAINS:
        _check_bounds(p)
        _check_spare(p, len(verifiers))
        _check_shares(p)
    _check_votes(p)
    _check_disputes(p, 0 if chain_id in PRIVATE_CHAINS else PROPOSING + 2 * p.vote_seconds() + LONGEST_PAUSE)
    _check_tokens(p)
    if p.funding_currency:
        check_round_terms(p.funding_seconds, p.funding_settlement, chain_id)
        check_settlement(p.funding_settlement, 2 * p.vote_seconds() + 2 * GRACE)
        require(2 * p.tokens_sold() <= p.cap, f"the funding round sells {p.tokens_sold()}, more than half of the cap")


def check_name(name: str, symbol: str) -> None:
    """Raise GenesisRefused for a name or symbol that is empty, long or not printed as it is."""
    for text in (name, symbol):
        is_plain = text.isascii() and text.isprintable() and text == text.strip()
        require(
            is_plain and 0 < len(text) <= LONGEST_NAME,
            f"{text[:LONGEST_NAME]!r} is no name: 1 to {LONGEST_NAME} plain characters",
        )


def check_round_terms(seconds: int, settlement: int, chain_id: int) -> None:
    """Raise GenesisRefused if a round lasts, or keeps its money, for shorter or longer than any may.

    No chain's tests need longer; those of a chain of one process need shorter.
    """
    for name, value in (("funding_seconds", seconds), ("funding_settlement", settlement)):
        least, most = ROUND_BOUNDS[name]
        least = 0 if chain_id in PRIVATE_CHAINS else least
        require(least <= value <= most, f"{name} is {value}, and must be {least} to {most}")


def check_deadline(deadline: int, registered: int, chain_id: int) -> None:
    """Raise GenesisRefused unless a first round is open for a day when the model is registered (any time, on a chain of
    one process)."""
    least = registered + (0 if chain_id in PRIVATE_CHAINS else DAY)
    require(deadline > least, f"the funding round ends {deadline - registered} seconds after the registration")


def check_settlement(settlement: int, life: int) -> None:
    """Raise GenesisRefused if a round's money is released while a proposal, of `life` seconds, is alive that was made
    before its buyers could take their tokens: a pause may keep those from them after the round."""
    life += LONGEST_PAUSE
    if settlement <= life:
        raise GenesisRefused(f"money is released {settlement} seconds after a round, and proposals live {life}")


def _check_bounds(p: GenesisParams) -> None:
    for name, (least, most) in BOUNDS.items():
        value = getattr(p, name)
        require(least <= value <= most, f"{name} is {value}, and must be {least} to {most}")


def _check_shares(p: GenesisParams) -> None:
    """Neither a round's buyers nor one epoch's root are enough votes for a decision. A signer of a false root loses
    a good part of the stake, and no less than a challenger puts at stake."""
    floor = p.quorum_floor
    sold = p.tokens_sold()
    total = p.max_epoch_total
    require(sold < floor, f"the funding round sells {sold}, and {floor} votes decide: its buyers alone would")
    require(total <= floor, f"max_epoch_total is {total}, and {floor} votes decide: one epoch alone would")
    cap = p.slash_cap
    stake = p.min_stake
    bond = p.bond
    require(bond <= cap, f"bond is {bond}, above the slash_cap {cap}: a challenge risks more than a false root")
    require(cap <= stake, f"slash_cap is {cap}, above min_stake {stake}: less is at stake than it says")
    require(
        10 * cap >= stake, f"slash_cap is {cap}, below a tenth of min_stake {stake}: little is lost for a false root"
    )


def _check_spare(p: GenesisParams, verifiers: int) -> None:
    """Nobody is judge of its own case, so that without one to spare nobody can be punished; and a round opens only with
    2k - 1 verifiers."""
    require(p.threshold < verifiers, f"threshold is {p.threshold} of {verifiers} verifiers: none could be punished")
    least = 2 * p.threshold - 1
    require(verifiers >= least, f"threshold is {p.threshold} of {verifiers} verifiers: a round needs {least}")


def _check_votes(p: GenesisParams) -> None:
    extension = p.late_quorum_extension
    period = p.voting_period
    require(extension <= period, f"late_quorum_extension is {extension}, and at most the voting_period, {period}")
    require(0 < p.quorum_floor <= p.cap, f"a quorum of {p.quorum_floor} can never be reached under the cap {p.cap}")
    least = p.proposal_threshold
    require(
        least <= p.quorum_floor,
        f"proposal_threshold is {least}, more than the quorum_floor: who decides cannot propose",
    )


def _check_disputes(p: GenesisParams, slack: int) -> None:
    """Votes may make the governor's times twice as long, and somebody has to propose first. A pause of minting voids
    the decision that was on its way: another one has to fit behind it."""
    vote = 2 * p.vote_seconds() + slack
    require(p.dispute_limit >= vote, f"a dispute lapses after {p.dispute_limit} seconds, and a vote on it takes {vote}")
    judged = 2 * p.challenge_window
    delay = p.node_withdrawal_delay
    require(delay > judged, f"node_withdrawal_delay is {delay}, and two epochs are open for {judged}")


def _check_tokens(p: GenesisParams) -> None:
    sold = p.tokens_sold()
    budget = p.distributor_budget()
    total = p.max_epoch_total
    require(sold <= p.cap, f"the funding round sells {sold}, more than the cap {p.cap}")
    require(0 < total <= budget, f"max_epoch_total is {total}, and the distributor may mint {budget}")
    reachable = min(budget, EPOCHS_TO_FLOOR * total) // 2
    require(
        p.quorum_floor <= reachable,
        f"a quorum of {p.quorum_floor} is not reached by the {reachable} that half of 1,000 epochs mint",
    )
