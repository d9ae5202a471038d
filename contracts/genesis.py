"""Who holds which power right after a model's contracts were deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web3 import Web3
from web3.contract import Contract
from web3.exceptions import BadFunctionCallOutput, ContractLogicError

from contracts.chain import contract_at
from contracts.errors import CommonweightError

if TYPE_CHECKING:
    from contracts.deploy import Deployment

ZERO = "0x" + "00" * 20
ADMIN = bytes(32)
"""OpenZeppelin's DEFAULT_ADMIN_ROLE."""
GRACE = 7 * 86_400
"""Seconds in which what passed can be queued, and what is queued can be executed (ModelTimelock.sol)."""
GOVERNOR_ROLES = ("PROPOSER_ROLE", "CANCELLER_ROLE")
"""What the governor holds, on the timelock and nowhere else."""
Grant = tuple[str, bytes, str]
"""Contract, role, holder."""


class GenesisRefused(CommonweightError):
    """Right after genesis a key outside the contracts holds a power, or a contract lacks one."""

    code = "genesis-refused"


def check_genesis(w3: Web3, deployment: Deployment) -> None:
    """Raise GenesisRefused unless exactly the contracts hold the powers.

    1. Nobody else had a role left on any of the contracts at the end of the deployment's block (block 0: now).
    2. The timelock administers itself, token, verifiers and pool, arbitrates and guards; the governor proposes and
       cancels; anybody executes.
    3. No call had been scheduled in the timelock: by it a role that was handed over would act once more.
    4. Only distributor and pool have mint budgets; the pool's pays its hard cap.
    5. All contracts point at each other, and the model registry at them.
    6. A dispute lasts long enough for a vote to decide it, the votes that a decision needs can exist, and the money
       of a funding round is released when no proposal is alive any more that was made before.
    """
    _check_roles(w3, deployment)
    _check_nothing_scheduled(w3, deployment)
    _check_budgets(w3, deployment)
    _check_wiring(w3, deployment)
    _check_terms(w3, deployment)


def check_floor(quorum_floor: int, cap: int) -> None:
    """Raise GenesisRefused if the votes of all tokens that can exist are too few."""
    if quorum_floor > cap:
        raise GenesisRefused(f"a quorum of {quorum_floor} can never be reached under the cap {cap}")


def check_dispute_limit(dispute_limit: int, vote: int) -> None:
    """Raise GenesisRefused if a dispute lapses before a vote on it, of `vote` seconds in all, can be executed."""
    if dispute_limit < vote:
        raise GenesisRefused(f"a dispute lapses after {dispute_limit} seconds, and a vote on it takes {vote}")


def check_settlement(settlement: int, life: int) -> None:
    """Raise GenesisRefused if a funding round's money is released while a proposal of `life` seconds from before is
    alive: its buyers are asked before their money is spent."""
    if settlement <= life:
        raise GenesisRefused(f"money is released {settlement} seconds after a round, and proposals live {life}")


def role(contract: Contract, name: str) -> bytes:
    """The 32-byte role of this name."""
    return bytes(contract.get_function_by_name(name)().call())


def _check_roles(w3: Web3, d: Deployment) -> None:
    held, needed = _held(w3, d), _needed(w3, d)
    # 1.
    for where, what, holder in sorted(held - needed):
        raise GenesisRefused(f"{holder} holds role 0x{what.hex()} on {where}")
    # 2.
    for where, what, holder in sorted(needed - held):
        raise GenesisRefused(f"{holder} lacks role 0x{what.hex()} on {where}")


def _held(w3: Web3, d: Deployment) -> set[Grant]:
    """Every role that is held. Contracts without roles are asked too: they must not have had any."""
    events = _token(w3, d).events
    granted, revoked = events.RoleGranted(), events.RoleRevoked()
    addresses = [Web3.to_checksum_address(address) for address in d.contracts()]
    held = set[Grant]()
    for log in w3.eth.get_logs(
        {"fromBlock": 0, "toBlock": _last(w3, d), "address": addresses, "topics": [[granted.topic, revoked.topic]]}
    ):
        grants = bytes(log["topics"][0]) == bytes.fromhex(granted.topic[2:])
        said = (granted if grants else revoked).process_log(log)["args"]
        change = held.add if grants else held.discard
        change((str(log["address"]), bytes(said["role"]), str(said["account"])))
    return held


def _needed(w3: Web3, d: Deployment) -> set[Grant]:
    """Every role that must be held, and no other."""
    token, timelock, checks = _token(w3, d), _timelock(w3, d), _verifiers(w3, d)
    administered = [d.token, d.timelock, d.verifier_registry, *([d.pool] if d.pool else [])]
    return {
        *((where, ADMIN, d.timelock) for where in administered),
        (d.token, role(token, "GUARDIAN_ROLE"), d.timelock),
        (d.verifier_registry, role(checks, "ARBITER_ROLE"), d.timelock),
        *((d.timelock, role(timelock, name), d.governor) for name in GOVERNOR_ROLES),
        (d.timelock, role(timelock, "EXECUTOR_ROLE"), ZERO),
    }


def _last(w3: Web3, d: Deployment) -> int:
    """Until when what happened is of genesis; what came later, votes decided."""
    return d.block or int(w3.eth.block_number)


def _check_nothing_scheduled(w3: Web3, d: Deployment) -> None:
    # 3.
    scheduled = _timelock(w3, d).events.CallScheduled.get_logs(from_block=0, to_block=_last(w3, d))
    if scheduled:
        raise GenesisRefused(f"a call was scheduled in the timelock in block {scheduled[0]['blockNumber']}")


def _check_budgets(w3: Web3, d: Deployment) -> None:
    # 4. As they were set: what was minted since has lowered them.
    token = _token(w3, d)
    budgets = {e["args"]["minter"]: e["args"]["budget"] for e in token.events.BudgetSet.get_logs(from_block=0)}
    if set(budgets) != {d.distributor, d.pool} - {""}:
        raise GenesisRefused(f"minters are {sorted(budgets)}")
    if d.pool:
        pool = contract_at(w3, "CapitalPool", d.pool).functions
        sold = pool.tokensFor(pool.hardCap().call()).call()
        if budgets[d.pool] < sold:
            raise GenesisRefused(f"the pool sells up to {sold} and may mint {budgets[d.pool]}")


def _check_wiring(w3: Web3, d: Deployment) -> None:
    # 5. The entry first: it tells whether these are the model's contracts at all.
    model = bytes.fromhex(d.model[2:])
    entry = tuple(contract_at(w3, "ModelRegistry", d.model_registry).functions.modelOf(model).call())
    _require(entry, d.entry())
    checks = _verifiers(w3, d).functions
    distributor = contract_at(w3, "EpochDistributor", d.distributor).functions
    governor = contract_at(w3, "ModelGovernor", d.governor).functions
    wiring = [
        (checks.timelock().call(), d.timelock),
        (bytes(checks.model().call()), model),
        (distributor.token().call(), d.token),
        (checks.distributor().call(), d.distributor),
        (distributor.registry().call(), d.verifier_registry),
        (governor.token().call(), d.token),
        (governor.timelock().call(), d.timelock),
        (contract_at(w3, "RevenueSplitter", d.splitter).functions.token().call(), d.token),
    ]
    if d.pool:
        pool = contract_at(w3, "CapitalPool", d.pool).functions
        wiring += [(pool.token().call(), d.token), (pool.treasury().call(), d.timelock)]
    for found, wanted in wiring:
        _require(found, wanted)


def _check_terms(w3: Web3, d: Deployment) -> None:
    # 6. As they are now: votes may have changed the times since.
    governor = contract_at(w3, "ModelGovernor", d.governor).functions
    check_floor(governor.quorumFloor().call(), _token(w3, d).functions.cap().call())
    check_dispute_limit(_verifiers(w3, d).functions.disputeLimit().call(), _vote(w3, d))
    if d.pool:
        _check_round(w3, d, d.pool)


def check_round(w3: Web3, d: Deployment, pool: str) -> None:
    """Raise GenesisRefused unless a funding round sells this model's token for its treasury, and asks its buyers."""
    functions = contract_at(w3, "CapitalPool", pool).functions
    try:
        found = (functions.token().call(), functions.treasury().call(), functions.settlement().call())
    except (ContractLogicError, BadFunctionCallOutput):
        raise GenesisRefused(f"{pool} is no funding round") from None
    _require(found[:2], (d.token, d.timelock))
    _check_round(w3, d, pool)


def _check_round(w3: Web3, d: Deployment, pool: str) -> None:
    """While its money is there."""
    functions = contract_at(w3, "CapitalPool", pool).functions
    if w3.eth.get_block("latest")["timestamp"] < functions.releaseAt().call():
        check_settlement(functions.settlement().call(), _longest_life(w3, d))


def _longest_life(w3: Web3, d: Deployment) -> int:
    """Seconds from a proposal to the last moment of its execution, by the bounds that no vote can pass."""
    governor, timelock = contract_at(w3, "ModelGovernor", d.governor).functions, _timelock(w3, d).functions
    delay, period, extension, *_ = governor.bounds().call()
    times = (delay[1], period[1], extension[1], timelock.mostDelay().call(), 2 * timelock.GRACE().call())
    return sum(int(time) for time in times)


def _vote(w3: Web3, d: Deployment) -> int:
    """Seconds from a proposal to its execution, without what it may lie about."""
    governor = contract_at(w3, "ModelGovernor", d.governor).functions
    times = (governor.votingDelay(), governor.votingPeriod(), governor.lateQuorumVoteExtension())
    return sum(int(time.call()) for time in (*times, _timelock(w3, d).functions.getMinDelay()))


def _require(found: object, wanted: object) -> None:
    if found != wanted:
        raise GenesisRefused(f"found {found!r} where {wanted!r} belongs")


def _token(w3: Web3, d: Deployment) -> Contract:
    return contract_at(w3, "ModelToken", d.token)


def _timelock(w3: Web3, d: Deployment) -> Contract:
    return contract_at(w3, "ModelTimelock", d.timelock)


def _verifiers(w3: Web3, d: Deployment) -> Contract:
    return contract_at(w3, "VerifierRegistry", d.verifier_registry)
