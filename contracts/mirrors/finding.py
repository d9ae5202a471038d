"""The verifiers' mirrors as a reader of the log finds them: addresses under their verifiers' signatures, and heads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.messages.signatures import Domain
from contracts.mirrors.book import Book
from contracts.mirrors.places import Place, is_loopback, mirror_place


def mirror_urls(
    deployment: Deployment, domain: Domain, verifiers: Collection[str], place: Place, address: str
) -> dict[str, str]:
    """Addresses of these verifiers' mirrors: the newest signed ones that the place lists, or the deployment's.

    `address` is the place's: of this machine, its mirrors may be of it too. Raises what the place raises.
    """
    first = deployment.first_mirrors()
    loopback = any(map(is_loopback, (address, *first.values())))
    with TemporaryDirectory() as folder:
        book = Book(Path(folder) / "mirrors.json", domain, first, loopback)
        book.urls(verifiers)  # a verifier that is asked for has a place before strangers
        answer = place.mirrors()
        if answer:
            book.take_answer(answer)
        return book.urls(verifiers)


def mirror_places(deployment: Deployment, urls: Mapping[str, str], address: str) -> dict[str, Place]:
    """The mirrors at these addresses. Raises InvalidLogKey."""
    log = deployment.log_key()
    loopback = any(map(is_loopback, (address, *deployment.first_mirrors().values())))
    return {verifier: mirror_place(url, log, loopback) for verifier, url in urls.items()}


def find_mirrors(
    deployment: Deployment, domain: Domain, verifiers: Collection[str], place: Place, address: str
) -> tuple[dict[str, Place], list[str]]:
    """Mirrors by verifier, and what went wrong on the way, for people."""
    trouble = []
    try:
        urls = mirror_urls(deployment, domain, verifiers, place, address)
    except CommonweightError as error:
        urls = deployment.first_mirrors()
        trouble.append(f"mirrors that {place.name} knows: {error.detail}")
    places = mirror_places(deployment, urls, address)
    trouble += [f"the mirror of {name}: it has no address" for name in sorted(set(verifiers) - set(places))]
    return places, trouble
