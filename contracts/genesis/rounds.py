"""Funding rounds after the first: whether one sells this model's token for its treasury, asks its buyers, and whether
somebody can outvote them by tokens that no vote reaches."""

from __future__ import annotations

from dataclasses import dataclass

from web3 import Web3

from contracts.bindings.capital_pool import CapitalPool, PoolStatus
from contracts.bindings.token import ModelToken
from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.chain.event_history import EventHistory
from contracts.chain.event_table import EventTable
from contracts.errors import CommonweightError
from contracts.evm.log_ranges import LogsRefused, Wanted, logs
from contracts.genesis.creation import creation_of, first_block
from contracts.genesis.refused import GenesisRefused, require
from contracts.genesis.terms import check_round_terms, check_settlement
from contracts.ids import NO_ADDRESS, Address, as_address, to_hex


class CapFull(CommonweightError):
    """A later round that the token's cap leaves no room for."""

    code = "cap-full"


@dataclass(frozen=True, slots=True)
class Minter:
    """An account that can mint, beside the distributor: what it may reserve, and what it owes, in 1e-18 tokens.

    `round` is where it stands, if it is a funding round of our code for this model's treasury.
    """

    account: Address
    budget: int
    reserved: int
    round: PoolStatus | None

    @property
    def outstanding(self) -> int:
        """Tokens that it can have exist: a round that is over sells no more, and one that failed mints nothing."""
        if self.round is PoolStatus.FAILED:
            return 0
        return self.reserved + (0 if self.round is PoolStatus.SUCCEEDED else self.budget)

    def in_words(self) -> str:
        """For a person who asks whom to trust."""
        foreign = self.round is None
        kind = "an account that is no contract of the model's," if foreign else "the funding round"
        return f"{kind} {self.account} may mint {self.budget} and owes {self.reserved}"


def check_round(w3: Web3, d: Deployment, pool: Address, creation: str) -> None:
    """Raise GenesisRefused unless a round is this model's (`check_pool`) and nobody can outvote its buyers unseen
    (`check_minters`)."""
    check_pool(w3, d, pool, creation)
    check_minters(w3, d, pool)


def check_pool(w3: Web3, d: Deployment, pool: Address, creation: str) -> None:
    """Raise GenesisRefused unless the pool was made by our code, by the transaction of this hash, for this model, its
    times are those that a round may have, and its money waits longer than any proposal lives."""
    created = creation_of(w3, "CapitalPool", pool, creation)
    token, treasury, terms = created.arguments
    require((token, treasury) == (d.token, d.timelock), f"the round sells {token} for {treasury}, not this model's")
    check_round_terms(terms[3] - created.time, terms[-1], d.chain_id)
    check_settlement(terms[-1], _longest_life(w3, d))


def check_minters(w3: Web3, d: Deployment, pool: Address = NO_ADDRESS, least: int | None = None) -> None:
    """Raise GenesisRefused while an account that is no contract of the model's may mint: no vote takes its reservations
    back, so that it could outvote a round's buyers when they can leave no more.

    Its debt by now, and the debt or supply of other rounds of our code, may not be as much as the buyers of `pool` have
    at its soft cap, `least` for one that is not there yet. Dust that somebody reserved once ends no funding: no vote
    takes that back either.
    """
    rivals = [minter for minter in minters(w3, d) if minter.account != pool]
    for minter in rivals:
        require(minter.round is not None or not minter.budget, f"{minter.in_words()}: it could outvote all who pay in")
    if pool:
        round_ = CapitalPool(w3, pool)
        least = round_.tokens_for(round_.caps()[0])
    if least is None or not rivals:
        return
    outstanding = sum(minter.outstanding for minter in rivals)
    require(outstanding < least, f"others may still mint {outstanding}, and this round sells {least} at its soft cap")


def budget_calls(w3: Web3, d: Deployment, sold: int, keep: int | None) -> list[str]:
    """The calls, but for the pool's own, that make room under the cap for so many tokens (1e-18).

    A budget is granted as far as the cap leaves room, and by genesis the distributor may have all of it. `keep` is what
    the vote leaves to the distributor; epochs may use some of its budget until then, so that it has to be less than the
    budget of now. Raises CapFull.
    """
    token = ModelToken(w3, d.token)
    room = token.cap() - token.allotted()
    if room >= sold:
        return []
    most = token.budget_of(d.distributor) - (sold - room)
    if keep is None or not 0 <= keep <= most:
        raise CapFull(
            f"the cap has room for {room}, and the round sells {sold}: the distributor has to be left at most {most}, "
            "less what epochs reserve until the vote has passed"
        )
    return [f"ModelToken.setBudget minter={d.distributor} budget={keep}"]


def minters(w3: Web3, d: Deployment) -> list[Minter]:
    """All but the distributor that can have tokens exist: only an account that once had a budget can."""
    token = contract_at(w3, "ModelToken", d.token)
    first = first_block(w3, d)
    accounts = {str(event["args"]["minter"]) for event in EventHistory(token, ["BudgetSet"], first).until()}
    result = []
    for account in sorted(accounts - {d.distributor}):
        budget, reserved = (
            int(getter(account).call()) for getter in (token.functions.budgetOf, token.functions.reservedOf)
        )
        if budget or reserved:
            is_own = account == d.pool or _is_own_pool(w3, d, as_address(account), first)
            result.append(
                Minter(
                    as_address(account),
                    budget,
                    reserved,
                    CapitalPool(w3, as_address(account)).status() if is_own else None,
                )
            )
    return [minter for minter in result if minter.outstanding]


def _is_own_pool(w3: Web3, d: Deployment, account: Address, first: int) -> bool:
    """A pool gives its treasury a role when it is made, so that its first event names the transaction that made it.

    Another account's logs are its own: by that name it may say what it likes, and so much that no node gives it."""
    if not w3.eth.get_code(Web3.to_checksum_address(account)):
        return False
    topic = EventTable(contract_at(w3, "CapitalPool", account), ["RoleGranted"]).hexes()
    try:
        log = next(logs(w3, Wanted((account,), (topic,)), first, int(w3.eth.block_number)), None)
        if log is None:
            return False
        check_pool(w3, d, account, to_hex(log["transactionHash"]))
    except (GenesisRefused, LogsRefused):
        return False
    return True


def _longest_life(w3: Web3, d: Deployment) -> int:
    """Seconds from a proposal to the last moment of its execution, by the bounds that no vote can pass."""
    governor = contract_at(w3, "ModelGovernor", d.governor)
    timelock = contract_at(w3, "ModelTimelock", d.timelock)
    delay, period, extension, *_ = governor.functions.bounds().call()
    latest = (timelock.functions.mostDelay().call(), 2 * timelock.functions.GRACE().call())
    return sum(int(time) for time in (delay[1], period[1], extension[1], *latest))
