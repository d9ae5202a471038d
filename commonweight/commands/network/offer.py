"""`commonweight market offer`: a supplier's machine for renters of this model."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from commonweight.terminal.console import complain_of_weather, tell
from commonweight.terminal.lifetime import heed_signals
from commonweight.terminal.options import (
    DEFAULT_API,
    Api,
    Device,
    Folder,
    Host,
    Keystore,
    OwnChain,
    Trusted,
    read_address,
    read_url,
)

MEBIBYTE = 2**20


def offer(
    keystore: Keystore,
    public_url: Annotated[
        str, typer.Option(parser=read_url, metavar="URL", help="Where verifiers and renters reach this host; no path.")
    ],
    country: Annotated[str, typer.Option(help="Where it stands: an ISO 3166 code, as DE.")],
    price: Annotated[str, typer.Option(help="US dollars per GPU and hour; of the machine where it has none.")],
    api: Api = DEFAULT_API,
    deployment: Trusted = None,
    rpc_url: OwnChain = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8880,
    gpu: Annotated[str, typer.Option(help="Kind of its GPUs, by your word. Without it, none.")] = "",
    gpus: Annotated[int, typer.Option(min=0, max=128, help="How many.")] = 0,
    gpu_memory: Annotated[int, typer.Option(min=0, max=1_000, help="Gigabytes of one GPU.")] = 0,
    memory: Annotated[int, typer.Option(min=0, max=100_000, help="Gigabytes of memory; 0 for all there is.")] = 0,
    disk: Annotated[int, typer.Option(min=0, max=1_000_000, help="Gigabytes of disk; 0 for what is free.")] = 0,
    payout: Annotated[str, typer.Option(help="Address that you are paid to; default: the keystore's.")] = "",
    contact: Annotated[str, typer.Option(help="How renters reach you, up to 200 characters.")] = "-",
    rent_to: Annotated[
        list[str] | None,
        typer.Option(help="A renter whose scripts run here, by address; may come several times; or `anybody`."),
    ] = None,
    most_hours: Annotated[float, typer.Option(min=0.1, max=720, help="The longest that one renter may have it.")] = 24,
    as_user: Annotated[str, typer.Option(help="Run renters' scripts as this user of the system; needs root.")] = "",
    lend_memory: Annotated[
        int, typer.Option(min=1, max=2**20, help="Mebibytes that a verifier may have filled for a measurement.")
    ] = 1_024,
    device: Device = "cpu",
    folder: Folder = Path("commonweight-host"),
) -> None:
    """Offer this machine to renters of this model: verifiers measure it, and `market offers` shows it.

    The offer is your word; what verifiers sign is measured. Nothing of renters runs here without --rent-to, and then as
    this user: use a container. Payment is between you and the renter, or what the nodes that run here earn.
    """
    from commonweight.keystore import open_keystore
    from commonweight.market.network.hosting import AdmittedVerifiers, Announcing
    from commonweight.market.network.supplying import host_of, parts_of, read_renters, terms_of, verifiers_of
    from commonweight.model.trusted import trusted
    from commonweight.terminal.logs import log_to_stderr
    from commonweight.terminal.serving import serve_until
    from contracts.process.hidden import hide
    from contracts.process.outage import Troubles
    from contracts.process.own_folder import Owner, take_folder
    from trainer.model.device import choose_device
    from verifier.hosts.serving import host_app

    stop = heed_signals()
    log_to_stderr()
    hide()
    choose_device(device)
    renters = read_renters(rent_to or [])
    terms = terms_of(
        url=public_url,
        country=country,
        gpu=gpu,
        gpus=gpus,
        gpu_memory=gpu_memory,
        memory=memory,
        disk=disk,
        price=price,
        payout=read_address(payout) if payout else "",
        contact=contact,
        rents=bool(renters),
        folder=folder,
    )
    account = open_keystore(keystore)
    trust = trusted(api, deployment, rpc_url)
    take_folder(folder, Owner.of("host", account.address, trust.deployment))
    verifiers = AdmittedVerifiers(verifiers_of(trust, rpc_url), time.monotonic)
    own = host_of(trust, account, terms, verifiers)
    challenges, renting = parts_of(own, folder, renters, most_hours, as_user, lend_memory * MEBIBYTE)
    look = renting.look if renting is not None else lambda: None
    announcing = Announcing(own, trust.client, Troubles(complain_of_weather), look)
    thread = threading.Thread(target=announcing.run, args=(stop,), name="announcing", daemon=True)
    thread.start()
    if renters and not as_user:
        complain_of_weather("renters' scripts run as this user, and can read its files and end this command: --as-user")
    offer_line = f"{own.supplier} offers {terms.url}; verifiers measure it by `commonweight market measure`"
    tell({"supplier": own.supplier, "url": terms.url}, [offer_line])
    try:
        serve_until(stop, host_app(own, challenges, renting), host, port)
    finally:
        stop.set()
        if renting is not None:
            renting.close()
        thread.join(10)
