"""The opening of a ledger: the machine of its deployment, from its newest snapshot on, and the chain."""

from __future__ import annotations

from collections.abc import Callable

from eth_account.signers.local import LocalAccount

from contracts.chain.deployment import Deployment
from contracts.protocol.chain.reading import ChainReader
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.log.operator import LogSigner
from ledger import identity
from ledger.chain import ModelChain
from ledger.context import ENTER_EVERY, Ledger, unix_now
from ledger.errors import LedgerError
from ledger.machine.replica import Replica
from ledger.machine.snapshots import EVERY, Snapshots
from ledger.process_id import new_process_id
from ledger.relay_rules import RelayRules
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store


class OtherLog(LedgerError):
    """The deployment names no log, or one whose heads this operator's key does not sign."""

    code = "other-log"
    status = 500


def open_ledger(
    store: Store,
    blobs: BlobFolder,
    chain: ModelChain,
    operator: LocalAccount,
    *,
    now: Callable[[], int] = unix_now,
    relay: RelayRules | None = None,
    holder: str = "",
    enter_every: int = ENTER_EVERY,
    snapshot_every: int = EVERY,
    makes: bool = True,
) -> Ledger:
    """One process of a server; the machine's snapshots lie beside the blobs, one every `snapshot_every` entries.

    An empty database becomes this deployment's, unless `makes` is off. Raises OtherLog where the deployment names no
    log, DatabaseForeign where the database is another's, and DatabaseMissing.
    """
    if not chain.deployment.log:
        raise OtherLog("the deployment file names no log; `commonweight keys log-key` prints what its `log` has to be")
    identity.require_own(store, chain.deployment, makes)
    return Ledger(
        store,
        blobs,
        chain,
        operator,
        _machine(chain, Snapshots(blobs.beside("machine"), snapshot_every)),
        ChainReader(chain.w3, chain.deployment),
        now,
        relay or RelayRules(),
        holder or new_process_id(),
        enter_every,
    )


def require_own_log(deployment: Deployment, operator: LocalAccount) -> None:
    """A server's key signs the log that its deployment names. Raises OtherLog."""
    own = LogSigner.of(bytes(operator.key)).public.vkey()
    if deployment.log != own:
        raise OtherLog(f"the deployment's log is {deployment.log}, and this operator's key signs {own}")


def _machine(chain: ModelChain, snapshots: Snapshots) -> Replica:
    deployment = chain.deployment
    functions = Protocol(deployment.chain_id, deployment.distributor, chain.model, deployment.deployer)
    return Replica(functions, chain.domain, snapshots)
