"""A supplier's host and a verifier's measuring as their commands' options make them."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils import is_hex_address, to_checksum_address

from commonweight.market.errors import BadQuery
from commonweight.market.gpus import require_gpu
from commonweight.market.money import micro_usd
from commonweight.market.network.board import Board
from commonweight.market.network.hosting import Tried
from commonweight.market.places import countries_of
from commonweight.model.trusted import Trusted
from contracts.chain.connection import connect
from contracts.hosts.signed import Model, require_url
from contracts.hosts.standard import EXACT, PROFILES, standard_in
from contracts.ids import ZERO_ADDRESS, as_address, from_hex, to_hex
from contracts.messages.for_market import NOTHING
from contracts.messages.signatures import Domain
from trainer.steps.standard_segment import profile_digest
from verifier.hosts.challenged import Challenges
from verifier.hosts.host import Host, Terms
from verifier.hosts.measuring import Extent, Measuring
from verifier.hosts.renting import ANYBODY, Renting
from verifier.receipt.cosigned_log import VerifierQuorum

GIGABYTE = 10**9


def read_renters(texts: Iterable[str]) -> tuple[str, ...]:
    """Addresses, or `anybody`. Raises BadQuery."""
    found = []
    for text in texts:
        if text != ANYBODY and not is_hex_address(text):
            raise BadQuery(f"--rent-to is an address, or {ANYBODY}; not {text[:60]!r}")
        found.append(text if text == ANYBODY else str(to_checksum_address(text)))
    return tuple(found)


def terms_of(
    *,
    url: str,
    country: str,
    gpu: str,
    gpus: int,
    gpu_memory: int,
    memory: int,
    disk: int,
    price: str,
    payout: str,
    contact: str,
    rents: bool,
    folder: Path,
) -> Terms:
    """What the supplier says, sizes that it leaves out by this machine. Raises BadQuery, BadPrice, BadHostMessage."""
    require_url(url, loopback=True)  # the server judges whether this one may be offered
    places = countries_of(country)
    if len(places) != 1:
        raise BadQuery(f"{country!r} is a region, and a machine stands in one country")
    if bool(gpu) != bool(gpus):
        raise BadQuery("--gpu and --gpus come together")
    folder.mkdir(parents=True, exist_ok=True)
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // GIGABYTE
    return Terms(
        url=url,
        country=next(iter(places)),
        gpu=require_gpu(gpu).name if gpu else NOTHING,
        gpus=gpus,
        gpu_memory=gpu_memory,
        cpus=os.cpu_count() or 1,
        memory=memory or held,
        disk=disk or shutil.disk_usage(folder).free // GIGABYTE,
        price=micro_usd(price, "--price"),
        payout=as_address(payout) if payout else ZERO_ADDRESS,
        contact=contact or NOTHING,
        rents=rents,
    )


def model_of(trust: Trusted) -> Model:
    """The model that offers and reports are signed for."""
    deployment = trust.deployment
    return Model(from_hex(deployment.model), Domain(deployment.chain_id, deployment.model_registry))


def verifiers_of(trust: Trusted, rpc_url: str | None) -> Callable[[], Sequence[str]]:
    """Reads the chain's verifiers anew, or the server's word where no chain is asked."""
    w3 = connect(rpc_url) if rpc_url else None
    return lambda: VerifierQuorum.of(trust.client, trust.deployment, w3).verifiers


def host_of(trust: Trusted, account: LocalAccount, terms: Terms, verifiers: Callable[[], Collection[str]]) -> Host:
    """The host, with the profiles in which this machine computes."""
    host = Host(
        model_of(trust),
        bytes(account.key),
        as_address(account.address),
        terms,
        verifiers,
        lambda: int(time.time()),
    )
    for profile in sorted(PROFILES, key=lambda name: name == EXACT):  # the exact one takes one thread from then on
        host.profiles[profile] = to_hex(profile_digest(standard_in(profile)))
    return host


def require_user(name: str, folder: Path) -> None:
    """A user under whom renters' scripts can run, who passes through all folders above. Raises BadQuery."""
    if not name:
        return
    try:
        number = pwd.getpwnam(name).pw_uid
    except KeyError:
        raise BadQuery(f"--as-user {name[:60]!r}: this system has no such user") from None
    if os.geteuid() != 0 or number == 0:
        raise BadQuery("--as-user is another user than root, and needs root")
    closed = [place for place in folder.resolve().parents if not place.stat().st_mode & stat.S_IXOTH]
    if closed:
        raise BadQuery(f"--as-user: {name} cannot pass through {closed[-1]}; give another --folder")


def parts_of(
    host: Host, folder: Path, renters: tuple[str, ...], most_hours: float, user: str, most_memory: int
) -> tuple[Challenges, Renting | None]:
    """What the host does for verifiers, and for renters where it names any: never both at a time."""
    require_user(user, folder)
    challenges = Challenges(host, most_memory)
    if not renters:
        return challenges, None
    seconds = int(most_hours * 3600)
    renting = Renting(host, folder / "rented", renters, seconds, lambda: challenges.is_open, user)
    challenges.is_rented = lambda: renting.is_rented
    return challenges, renting


def measuring_of(board: Board, account: LocalAccount, extent: Extent) -> Measuring:
    """The measurements of a verifier's key."""
    address = as_address(account.address)
    return Measuring(board.model, bytes(account.key), address, board.loopback, extent)


def tried_document(one: Tried) -> dict[str, Any]:
    """A host that was to be measured, as an object."""
    report = one.report.to_json()["message"] if one.report is not None else None
    return {"url": one.url, "report": report, "why": one.why}


def tried_line(one: Tried) -> str:
    """The same for people."""
    if one.report is None:
        return f"{one.url}  not measured: {one.why}"
    said = one.report.message
    figures = f"{said.tokens / 1_000:,.0f} tokens/s, {said.memory / 2**30:.2f} GiB"
    traffic = f"takes {said.received * 8 / 1e6:,.1f} and gives {said.sent * 8 / 1e6:,.1f} Mbit/s"
    return f"{one.url}  {figures}, {traffic}{'; ' + one.why if one.why else ''}"
