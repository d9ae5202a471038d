"""A proof saved from the network: the log from one address, the files from there and from the verifiers' mirrors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.ids import ProofId
from contracts.messages.signatures import Domain
from contracts.mirrors.finding import mirror_urls
from contracts.mirrors.places import Web, is_loopback, open_place
from contracts.mirrors.reading import LogReader
from verifier.proof.bundle import Bundle, BundleSource, save_bundle
from verifier.proof.case import Case

OF_SERVER = "/v1/blobs/"
OF_MIRROR = "/blobs/"


def fetch_bundle(
    folder: Path,
    proof: ProofId,
    deployment: Deployment,
    address: str,
    on_entry: Callable[[int, int], None] = lambda _, __: None,
) -> Bundle:
    """Save a proof into a folder, from a server, a mirror or static files. Raises what save_bundle raises."""
    log = deployment.log_key()
    reader = LogReader(open_place(address, log), log)

    def sources(case: Case) -> list[BundleSource]:
        return blob_sources(deployment, reader, address, case.round.verifiers)

    return save_bundle(folder, proof, deployment, reader, sources, on_entry)


def blob_sources(
    deployment: Deployment, reader: LogReader, address: str, verifiers: Sequence[str]
) -> list[BundleSource]:
    """The address itself, and the mirrors of these verifiers."""
    own = (
        [BundleSource(Web(address), OF_SERVER), BundleSource(Web(address), OF_MIRROR)]
        if address.startswith("http")
        else []
    )
    domain = Domain(deployment.chain_id, deployment.model_registry)
    try:
        urls = mirror_urls(deployment, domain, verifiers, reader.place, address)
    except CommonweightError:
        urls = deployment.first_mirrors()
    loopback = any(map(is_loopback, (address, *deployment.first_mirrors().values())))
    return own + [BundleSource(Web(url, loopback, chosen=False), OF_MIRROR) for url in urls.values()]
