"""Route of the network: chain, contracts, verifiers and limits."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends

from api.access import get_ledger, get_settings
from api.settings import ServerSettings
from contracts.wire.network import DeployedModel, Network
from ledger.context import Ledger
from ledger.intake.admitted import admitted
from ledger.public_log import unseen

router = APIRouter()


@router.get("/network")
def network(ledger: Ledger = Depends(get_ledger), settings: ServerSettings = Depends(get_settings)) -> Network:
    """Show the network that messages are signed for: chain, contracts, verifiers, and the limits of this server."""
    with ledger.store.read() as session:
        missing = unseen.told(ledger, session)
        verifiers, k = admitted(ledger, session)
    deployment = ledger.chain.deployment
    lists = {"mirrors": list(deployment.mirrors), "creations": list(deployment.creations)}
    return Network(
        chain_id=deployment.chain_id,
        deployment=DeployedModel(**{**asdict(deployment), **lists}),
        operator=ledger.operator.address,
        verifiers=verifiers,
        threshold=k,
        max_blob_bytes=settings.max_blob_bytes,
        unseen=missing,
    )
