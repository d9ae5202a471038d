"""`commonweight contribution`: maintainers vouch for code and data; anybody may hand in what enough of them signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.options import DEFAULT_API, Api, Json, Keystore, RunId, read_address
from commonweight.console import emit, say
from commonweight.keystore import open_keystore

app = typer.Typer(no_args_is_help=True, help="Credit code and data that the run's maintainers vouch for.")
File = Annotated[Path, typer.Argument(help="Contribution file: what is credited, and the signatures so far.")]
Author = Annotated[str, typer.Option(parser=read_address, help="Address that is paid.")]
Weight = Annotated[int, typer.Option(min=1, help="Weight among contributions of its kind in the same epoch.")]


@app.command("code")
def code(
    file: File,
    repo: Annotated[str, typer.Option(help="Where the code lives.")],
    commit: Annotated[str, typer.Option(help="Full commit id; it is credited once in a run.")],
    author: Author,
    weight: Weight,
    api: Api = DEFAULT_API,
) -> None:
    """Write a code contribution to a file, for maintainers to sign within a day."""
    from commonweight.contribution_file import ContributionFile

    ContributionFile.code(api, repo, commit, author, weight).save(file)
    say(f"{file}: hand it to the maintainers for `commonweight contribution sign`")


@app.command("data")
def data(
    file: File,
    manifest: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Manifest of the data; hashed (SHA-256).")
    ],
    licence: Annotated[str, typer.Option(help="Licence of the data, for instance CC-BY-4.0.")],
    author: Author,
    weight: Weight,
    api: Api = DEFAULT_API,
) -> None:
    """Write a data contribution to a file, for maintainers to sign within a day."""
    from commonweight.contribution_file import ContributionFile

    ContributionFile.data(api, manifest.read_bytes(), licence, author, weight).save(file)
    say(f"{file}: hand it to the maintainers for `commonweight contribution sign`")


@app.command("sign")
def sign(file: File, keystore: Keystore, api: Api = DEFAULT_API) -> None:
    """Show what the file credits and add your signature to it."""
    from commonweight.contribution_file import ContributionFile

    signed = ContributionFile.load(file).signed(api, open_keystore(keystore))
    signed.save(file)
    say(f"{signed.describe()}\n{len(signed.signatures)} signatures")


@app.command("submit")
def submit(file: File, run: RunId, api: Api = DEFAULT_API, as_json: Json = False) -> None:
    """Hand a signed file in; the run's next epoch pays it."""
    from commonweight.contribution_file import ContributionFile

    key = ContributionFile.load(file).submit(api, run)
    emit({"contribution": key}) if as_json else say(key)
