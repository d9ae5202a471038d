"""`commonweight fund`: a model's funding round. Amounts are units of the round's currency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import one_line, tell
from commonweight.terminal.options import (
    DEFAULT_API,
    DEFAULT_RPC,
    Account,
    Api,
    Keystore,
    ModelDeployment,
    Rpc,
    read_address,
    read_object,
    read_round,
)
from contracts.amounts import amount as amount_of
from contracts.errors import CommonweightError
from contracts.ids import Address, as_address

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from eth_account.signers.local import LocalAccount
    from web3 import Web3

    from contracts.bindings.capital_pool import CapitalPool
    from contracts.chain.deployment import Deployment

app = typer.Typer(no_args_is_help=True, help="Pay into a model's funding round, and get its tokens or your money back.")
Pool = Annotated[
    str,
    typer.Option(
        "--pool",
        parser=read_round,
        metavar="ADDRESS@CREATION",
        help="Contract of a later round and the transaction that created it, as `fund open` prints it. Default: the "
        "round in the deployment.",
    ),
]
PERMIT_SECONDS = 3_600
"""How long the signed permission of a deposit is good for."""


class NoFundingRound(CommonweightError):
    """The deployment names no CapitalPool."""

    code = "no-funding-round"


@app.command("show")
def show(
    deployment: ModelDeployment,
    account: Annotated[
        str | None,
        typer.Option(parser=read_address, metavar="ADDRESS", help="Account whose deposit is shown as well."),
    ] = None,
    at: Pool = "",
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Show a funding round: its state, price, deadline, deposits, and the commands that are possible now."""
    from commonweight.standing.funding import Deposit, Round

    pool = _pool(deployment, rpc_url, at)
    current = Round.read(pool, _symbol(pool))
    units = _of_deployer(pool, deployment)
    warnings = _warnings(pool, deployment)
    deposit = Deposit.read(pool, current, as_address(account)) if account else None
    lines = list(current.lines())
    if units:
        lines.append(
            f"deployer   paid in {current.money.text(units)} of this: {100 * units // max(1, current.deposited)} %"
        )
    tell({**current.to_json(), "by_deployer": str(units), "warnings": warnings}, lines)
    if deposit:
        tell(deposit.to_json(), [deposit.line()])
    tell((), warnings)


@app.command("open")
def open_round(
    keystore: Keystore,
    deployment: ModelDeployment,
    params: Annotated[str, typer.Option(help='Parameters of the round as JSON: {"funding_currency": "0x...", ...}.')],
    propose: Annotated[
        str,
        typer.Option("--propose", help="Also propose the budget of the round to the holders, with this description."),
    ] = "",
    keep: Annotated[
        int | None,
        typer.Option(
            min=0, help="Units (1e-18 tokens) that the vote leaves to the distributor, where the cap has no room."
        ),
    ] = None,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Deploy another funding round of a model. The round sells nothing until the holders vote a budget for it.

    Prints the address of the round, and the call that the holders have to propose and pass. With `--propose` the
    command makes the proposal, too.
    """
    from commonweight.governance.ballots import GovernanceClient
    from commonweight.model.known_model import known_model
    from contracts.genesis.deploy import open_round
    from contracts.genesis.params import GenesisParams

    try:
        terms = GenesisParams(**read_object(params, "--params"))
    except TypeError as error:
        raise typer.BadParameter(str(error), param_hint="--params") from error
    if not terms.funding_currency:
        raise typer.BadParameter("must name a funding_currency", param_hint="--params")
    model, w3 = known_model(deployment, rpc_url)
    governance = GovernanceClient(api, rpc_url) if propose else None
    if governance is not None and governance.deployment != model:
        raise typer.BadParameter("names the server of another model", param_hint="--api")
    room, warnings = _room(w3, model, terms.tokens_sold(), keep, bool(propose))
    account = open_keystore(keystore)
    pool, creation = open_round(w3, account, model, terms)
    call = f"ModelToken.setBudget minter={pool} budget={terms.tokens_sold()}"
    round_name = f"{pool}@{creation}"
    document = {"pool": round_name, "call": call, "before": room, "warnings": warnings}
    options = " ".join(f"--call '{one}'" for one in [*room, call])
    lines = [f"round {round_name}"] if governance else [f"round {round_name}\npropose {options}", *warnings]
    tell(document, lines)  # said before anything else can fail: the round is there
    if governance is None:
        return
    proposal = governance.propose(account, propose, (), governance.calls([*room, call]))
    tell({"pool": round_name, "proposal": proposal}, [f"proposal {proposal}"])


def _room(w3: Web3, model: Deployment, sold: int, keep: int | None, asks: bool) -> tuple[list[str], list[str]]:
    """The calls that make room under the cap, and warnings. Raises CapFull where nothing else would be proposed."""
    from contracts.genesis.rounds import CapFull, budget_calls

    try:
        return budget_calls(w3, model, sold, keep), []
    except CapFull as error:
        if asks or keep is not None:
            raise
        return [], [f"its budget will be cut: {error.detail}; --keep makes room"]


@app.command("deposit")
def deposit(
    keystore: Keystore,
    deployment: ModelDeployment,
    amount: Annotated[
        int, typer.Option(min=1, help="Amount in units of the currency; the part beyond the hard cap is not taken.")
    ],
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve in a separate transaction, for a currency without permits.")
    ] = False,
    at: Pool = "",
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Pay into a funding round, in one transaction with a signed permit.

    Refused while an account that is no contract of the model may mint or owes tokens: it could outvote all buyers.
    """
    from commonweight.model.currency import CurrencyTerms
    from contracts.chain.connection import send

    pool = _pool(deployment, rpc_url, at)
    account = open_keystore(keystore)
    _check_minters(pool, deployment)
    before = pool.deposit_of(account.address)
    if approve:
        send(pool.w3, account, pool.currency().approve(pool.address, amount))
        call = pool.deposit(amount)
    else:
        until = pool.w3.eth.get_block("latest")["timestamp"] + PERMIT_SECONDS
        call = pool.deposit_with_permit(amount, until, pool.sign_permit(account, amount, until))
    send(pool.w3, account, call)
    total = pool.deposit_of(account.address)
    money = CurrencyTerms.of(pool.currency())
    took = total - before
    bought = pool.tokens_for(total)
    tell(
        _moved(pool, account.address, took) | {"deposit": str(total), "tokens": str(bought)},
        [
            f"paid in {money.text(took)}; {money.text(total)} in all buy {amount_of(bought, _symbol(pool))} "
            "if the round succeeds"
        ],
    )


@app.command("claim")
def claim(
    account: Account,
    keystore: Keystore,
    deployment: ModelDeployment,
    at: Pool = "",
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Mint the tokens of an account's deposit to the account after the round succeeded.

    At first only the account's own key can do it. Once no buyer can leave any more, any key with gas can."""
    pool = _pool(deployment, rpc_url, at)
    warnings = _warnings(pool, deployment)
    tell((), warnings)  # an account that claims can leave no more
    bought = pool.tokens_for(pool.deposit_of(as_address(account)))
    _send(pool, open_keystore(keystore), pool.claim(as_address(account)))
    document = {"account": account, "pool": pool.address, "tokens": str(bought), "warnings": warnings}
    tell(document, [f"minted {amount_of(bought, _symbol(pool))} to {account}"])


@app.command("withdraw")
def withdraw(keystore: Keystore, deployment: ModelDeployment, at: Pool = "", rpc_url: Rpc = DEFAULT_RPC) -> None:
    """Take your whole deposit back while the round is open and not in its last quarter."""
    pool = _pool(deployment, rpc_url, at)
    account = open_keystore(keystore)
    paid = pool.deposit_of(account.address)
    _send(pool, account, pool.withdraw())
    _tell_back(pool, account.address, paid)


@app.command("leave")
def leave(keystore: Keystore, deployment: ModelDeployment, at: Pool = "", rpc_url: Rpc = DEFAULT_RPC) -> None:
    """Take your deposit back instead of tokens, after the round and before the holders can spend its money."""
    pool = _pool(deployment, rpc_url, at)
    account = open_keystore(keystore)
    paid = pool.deposit_of(account.address)
    _send(pool, account, pool.leave())
    _tell_back(pool, account.address, paid)


@app.command("refund")
def refund(
    account: Account,
    keystore: Keystore,
    deployment: ModelDeployment,
    at: Pool = "",
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Pay an account's deposit back to the account, after the round failed. Any key with gas can do it."""
    pool = _pool(deployment, rpc_url, at)
    paid = pool.deposit_of(as_address(account))
    _send(pool, open_keystore(keystore), pool.refund(as_address(account)))
    _tell_back(pool, as_address(account), paid)


def _tell_back(pool: CapitalPool, account: Address, units: int) -> None:
    from commonweight.model.currency import CurrencyTerms

    tell(_moved(pool, account, units), [f"paid {CurrencyTerms.of(pool.currency()).text(units)} back to {account}"])


def _moved(pool: CapitalPool, account: Address, units: int) -> dict[str, str]:
    """Units of the currency that went in or came back, for scripts."""
    return {"account": account, "pool": pool.address, "currency": pool.currency().address, "units": str(units)}


def _symbol(pool: CapitalPool) -> str:
    from contracts.bindings.token import ModelToken

    return one_line(ModelToken(pool.w3, as_address(pool.token())).symbol(), 12)


def _send(pool: CapitalPool, account: LocalAccount, call: Any) -> None:
    from contracts.chain.connection import send

    send(pool.w3, account, call)


def _check_minters(pool: CapitalPool, deployment: Path) -> None:
    from contracts.chain.deployment import Deployment
    from contracts.genesis.rounds import check_minters

    check_minters(pool.w3, Deployment.of_file(deployment), pool.address)


def _warnings(pool: CapitalPool, deployment: Path) -> list[str]:
    """A warning for each account beside distributor, first round and this one that can have tokens exist."""
    from commonweight.model.genesis_words import warnings
    from contracts.chain.deployment import Deployment

    return warnings(pool.w3, Deployment.of_file(deployment), pool.address)


def _of_deployer(pool: CapitalPool, deployment: Path) -> int:
    """The deployer's own deposit in units: a soft cap that the model's maker bought says little."""
    from contracts.chain.deployment import Deployment

    model = Deployment.of_file(deployment)
    return pool.bought_by(model.deployer, model.block)


def _pool(deployment: Path, rpc_url: str, at: str = "") -> CapitalPool:
    """The round of the deployment, or a later one ("ADDRESS@CREATION"), which is checked to be of this model."""
    from commonweight.model.known_model import known_model
    from contracts.bindings.capital_pool import CapitalPool
    from contracts.genesis.rounds import check_pool

    model, w3 = known_model(deployment, rpc_url)
    address, _, creation = at.partition("@")
    if address:
        check_pool(w3, model, as_address(address), creation)
    elif not model.pool:
        raise NoFundingRound(f"the model {model.name} was deployed without a funding round; give a later one by --pool")
    return CapitalPool(w3, as_address(address or model.pool))
