"""`commonweight contribution`: maintainers sign for code, data and invoices, and anybody may submit the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_API, Api, Keystore, RunId, read_address, read_run
from contracts import ids
from contracts.errors import CommonweightError
from contracts.ids import as_address

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from commonweight.contribution_file import ContributionFile

app = typer.Typer(
    no_args_is_help=True, help="Credit code, data and costs of machines for which the run's maintainers sign."
)
File = Annotated[Path, typer.Argument(help="Contribution file: the contribution and its signatures.")]
Paid = Annotated[
    str, typer.Option("--account", parser=read_address, metavar="ADDRESS", help="Address that the contribution pays.")
]
ID = re.compile(r"0x[0-9a-fA-F]{64}")
Weight = Annotated[
    int, typer.Option(min=1, help="Weight of the contribution among those of its kind in the same epoch.")
]
LARGEST_BILL = 10_000_000 * 10**6
"""Micro-USD: more for one machine is a slip."""
Bill = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Bill of the provider; its SHA-256 names it.")]
Payback = Annotated[bool, typer.Option("--payback", help="Ask the holders for a payback instead of capital.")]


class ContributionUnknown(CommonweightError):
    """No run has credited a contribution with this id."""

    code = "contribution-unknown"


def read_optional_run(text: str) -> str:
    """A run's id, or nothing. Raises BadParameter."""
    return text and read_run(text)


@app.command("code")
def code(
    file: File,
    run: RunId,
    repo: Annotated[str, typer.Option(help="URL of the repository.")],
    commit: Annotated[str, typer.Option(help="Full id of the commit; a model credits it only once.")],
    licence: Annotated[str, typer.Option(help="Licence of the repository, for instance Apache-2.0.")],
    account: Paid,
    weight: Weight,
) -> None:
    """Write a file that credits code in a run, for maintainers to sign."""
    from commonweight.contribution_file import ContributionFile

    _write(ContributionFile.code(ids.RunId(run), repo, commit, licence, as_address(account), weight), file)


@app.command("data")
def data(
    file: File,
    run: RunId,
    source: Annotated[str, typer.Option(help="URL of the data.")],
    manifest: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Manifest file of the data; its SHA-256 names them.")
    ],
    licence: Annotated[str, typer.Option(help="Licence of the data, for instance CC-BY-4.0.")],
    account: Paid,
    weight: Weight,
) -> None:
    """Write a file that credits data in a run, for maintainers to sign."""
    from commonweight.contribution_file import ContributionFile

    _write(
        ContributionFile.data(ids.RunId(run), source, manifest.read_bytes(), licence, as_address(account), weight), file
    )


@app.command("invoice")
def invoice(
    file: File,
    run: RunId,
    renter: Annotated[str, typer.Option(parser=read_address, metavar="ADDRESS", help="Who paid, and signs.")],
    account: Annotated[
        str,
        typer.Option(
            parser=read_address, metavar="ADDRESS", help="Address that the machine's nodes are paid at; signs."
        ),
    ],
    provider: Annotated[str, typer.Option(help="Who was paid, in lower case: vast, lambda.")],
    machine: Annotated[str, typer.Option(help="The provider's name of the rental.")],
    node: Annotated[list[str], typer.Option(help="Node key that worked on it; may come several times.")],
    from_hour: Annotated[int, typer.Option(min=0, help="First hour since 1970, UTC: Unix seconds by 3,600.")],
    to_hour: Annotated[int, typer.Option(min=1, help="The hour after the last one.")],
    amount: Annotated[str, typer.Option(help="The cost of these hours in US dollars: 30.12.")],
    bill: Bill,
    payback: Payback = False,
) -> None:
    """Write the cost of one rented machine to a file, for its renter, the account and maintainers to sign."""
    from commonweight.contribution_file import ContributionFile, Machine
    from commonweight.market.money import micro_usd

    nodes = tuple(as_address(read_address(name)) for name in node)
    cost = micro_usd(amount.removesuffix("USD"), "--amount", LARGEST_BILL)
    hours = (from_hour, to_hour)
    machine_cost = Machine(as_address(renter), as_address(account), provider, machine, nodes, *hours, cost)
    _write(ContributionFile.invoice(ids.RunId(run), machine_cost, bill.read_bytes(), payback), file)


@app.command("rented")
def rented(
    into: Annotated[Path, typer.Argument(file_okay=False, help="Folder for the files, one a machine.")],
    run: RunId,
    renter: Annotated[str, typer.Option(parser=read_address, metavar="ADDRESS", help="Who paid, and signs.")],
    account: Annotated[
        str,
        typer.Option(
            parser=read_address, metavar="ADDRESS", help="Address that `market join` paid the nodes at; signs."
        ),
    ],
    bill: Bill,
    provider: Annotated[str, typer.Option(help="Only this provider's machines, whose bill it is.")],
    first_hour: Annotated[int, typer.Option(min=0, help="Leave hours before this one out.")] = 0,
    payback: Payback = False,
    api: Api = DEFAULT_API,
    folder: Annotated[
        Path | None, typer.Option("--folder", envvar="COMMONWEIGHT_MARKET_FOLDER", help="Folder of the market.")
    ] = None,
) -> None:
    """Write a file for each machine of `commonweight market` that has ended and whose nodes worked in the run: what the
    provider billed, else what the machine cost at most. Compare each with the bill."""
    from commonweight.contribution_file import ContributionFile, Machine
    from commonweight.market.desk import market_folder, open_journal
    from commonweight.market.renting.costs import ended_costs
    from commonweight.market.run_side import RunSide

    workers = RunSide(api, run).work()
    rentals = [rental for rental in open_journal(market_folder(folder)).rentals() if rental.provider == provider]
    into.mkdir(parents=True, exist_ok=True)
    costs = ended_costs(rentals, workers, first_hour)
    if not costs:
        raise ContributionUnknown(f"no machine of {provider} that has ended worked in the run")
    for cost in costs:
        named = (as_address(renter), as_address(account), cost.provider, cost.machine, cost.nodes)
        machine = Machine(*named, cost.from_hour, cost.to_hour, cost.amount)
        _write(
            ContributionFile.invoice(ids.RunId(run), machine, bill.read_bytes(), payback), into / f"{cost.rental}.json"
        )


@app.command("sign")
def sign(file: File, keystore: Keystore, api: Api = DEFAULT_API) -> None:
    """Show a contribution file, and add your signature to it."""
    from commonweight.contribution_file import ContributionFile
    from trainer.client import ApiClient

    client = ApiClient(api)
    signed = ContributionFile.load(file).signed(client, open_keystore(keystore))
    signed.save(file)
    have, takes = signed.quorum(client)
    document = signed.to_json() | {"file": str(file), "signed": have, "needed": takes}
    tell(document, [f"{signed.describe()}\n{have} of {takes} needed maintainers have signed"])


@app.command("list")
def list_contributions(
    run: Annotated[
        str,
        typer.Option(
            "--run",
            parser=read_optional_run,
            metavar="RUN",
            help="Id of the run whose contributions are listed. Default: all runs.",
        ),
    ] = "",
    api: Api = DEFAULT_API,
) -> None:
    """List credited contributions: their signers, by checked signatures, and the epoch that pays each."""
    from commonweight.standing.contributions import Contributions
    from trainer.client import ApiClient

    contributions = Contributions(ApiClient(api))
    rows = contributions.credited([contributions.run(ids.RunId(run))] if run else contributions.runs())
    lines = [line for row in rows for line in row.lines()] or ["no contribution is credited yet"]
    tell((row.to_json() for row in rows), lines)


@app.command("show")
def show(
    contribution: Annotated[
        str, typer.Argument(help="Contribution file, or id of a credited contribution (0x and 64 hex digits).")
    ],
    api: Api = DEFAULT_API,
) -> None:
    """Show the state of a contribution: its signers, the missing ones and the deadline, or the epoch that pays it."""
    from commonweight.contribution_file import ContributionFile
    from commonweight.standing.contributions import Contributions
    from trainer.client import ApiClient

    contributions = Contributions(ApiClient(api))
    if ID.fullmatch(contribution):
        rows = [row for row in contributions.credited(contributions.runs()) if row.id == contribution.lower()]
        if not rows:
            raise ContributionUnknown(f"no run of this server credited {contribution}; try `contribution list`")
        row = rows[0]
    else:
        row = contributions.of_file(ContributionFile.load(Path(contribution)))
    tell(row.to_json(), row.lines())


@app.command("submit")
def submit(file: File, api: Api = DEFAULT_API) -> None:
    """Submit a signed contribution file. The run's next epoch pays it; a run that is over refuses it."""
    from commonweight.contribution_file import ContributionFile
    from trainer.client import ApiClient

    accepted = ContributionFile.load(file).submit(ApiClient(api))
    line = f"entry {accepted.index} of the log: {accepted.digest}"
    tell({"contribution": accepted.digest, "entry": accepted.index}, [line])


def _write(contribution: ContributionFile, file: Path) -> None:
    contribution.save(file)
    line = f"{file} is written; each maintainer signs it with `commonweight contribution sign`"
    tell(contribution.to_json() | {"file": str(file)}, [line])
