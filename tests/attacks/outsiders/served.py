"""The real server over HTTP, on a chain of its own: store, contracts and keeper, whose turns a test gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from eth_account.signers.local import LocalAccount

from api.app import create_app
from api.settings import ServerSettings
from contracts.bindings.governor import Action
from contracts.chain.connection import connect_devnet, send
from ledger import faults
from ledger.chain import ModelChain
from ledger.chainread import indexer
from ledger.context import Ledger
from ledger.epochs import settlement
from ledger.intake import blocks
from ledger.opening import open_ledger
from ledger.relay import outbox
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from tests.chains import StillChain, twin
from tests.contracts.protocol.log import signed_run
from tests.deployed import PARAMS, deployed, key_of, verifier_keys


class Service:
    """Chain, store and server of one deployment. Use `service`."""

    def __init__(self, folder: Path) -> None:
        chain, self.deployment = deployed(PARAMS, StillChain)
        self.folder, self.chain, self.operator = folder, twin(chain), key_of("operator")
        self.model = ModelChain(connect_devnet(self.chain), self.deployment)
        self.domain, self.epoch_domain = self.model.domain, self.model.epoch_domain
        self.ledger = self.open(folder / "ledger.db")

    def open(self, database: Path) -> Ledger:
        """The ledger over this database."""
        store, blobs = Store(f"sqlite:///{database}"), BlobFolder(self.folder / "blobs")
        return open_ledger(store, blobs, self.model, self.operator, enter_every=1)

    def app(self, **options: Any) -> Any:
        """The server's application; `options` as of ServerSettings."""
        file = self.folder / "deployment.json"
        file.write_text(self.deployment.to_json())
        url, key = str(self.ledger.store.engine.url), self.operator.key.hex()
        settings = ServerSettings(
            rpc_url="http://127.0.0.1:9",
            deployment=file,
            operator_key=key,
            database_url=url,
            blobs=self.folder / "blobs",
            keeper=False,
            **options,
        )
        return create_app(settings, self.ledger)

    def tick(self, seconds: int = 40) -> None:
        """Time passes, a block comes and is final, and the keeper enters what is due."""
        self.chain.increase_time(seconds)
        self.chain.mine()
        blocks.follow(self.ledger)

    def settle(self) -> None:
        """The keeper's duties towards the chain, once."""
        settlement.settle(self.ledger)
        faults.settle(self.ledger)
        outbox.flush(self.ledger)
        indexer.follow(self.ledger)

    def gift(self, account: LocalAccount) -> None:
        """Give somebody coins."""
        w3, giver = self.model.w3, key_of("creator")
        gift: dict[str, Any] = {
            "to": account.address,
            "value": 10**18,
            "gas": 21_000,
            "gasPrice": w3.eth.gas_price,
            "chainId": w3.eth.chain_id,
            "nonce": w3.eth.get_transaction_count(giver.address),
        }
        w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(giver.sign_transaction(gift).raw_transaction))

    def stake(self, node: LocalAccount, wei: int) -> None:
        """Give a node coins, and have it stake some."""
        self.gift(node)
        send(self.model.w3, node, self.model.nodes.stake(), value=wei)

    def enact(self, holder: LocalAccount, *decisions: tuple[str, str]) -> None:
        """Have a holder of most votes pass decisions through governor and timelock, past the API."""
        w3, governor, model = self.model.w3, self.model.governor, self.model
        pairs = enumerate(decisions, 1)
        calls = [model.models.decide(model.model, place.to_bytes(32, "big"), *pair) for place, pair in pairs]
        actions, text = [Action.of(call) for call in calls], f"enacted at block {w3.eth.block_number}"
        send(w3, holder, governor.propose(actions, text))
        self.chain.increase_time(PARAMS.voting_delay + 1)
        send(w3, holder, governor.cast_vote(governor.proposal_id(actions, text), 1))
        self.chain.increase_time(PARAMS.voting_period + 1)
        send(w3, holder, governor.queue(actions, text))
        self.chain.increase_time(PARAMS.timelock_delay + 2)
        send(w3, holder, governor.execute(actions, text))


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """A deployment whose verifiers' keys the scripts have."""
    made = Service(folder)
    own: dict[str, Any] = {"DOMAIN": made.domain, "MODEL": made.model.model, "key": key}
    with patch.multiple(signed_run, **own):
        yield made


def key(name: str) -> LocalAccount:
    """The verifiers are those of the deployment."""
    return verifier_keys()[int(name.removeprefix("verifier "))] if name.startswith("verifier ") else key_of(name)
