"""A server on a chain of its own, with a signed run behind its door: nothing in it trains.

`House` has the real parts: py-evm with the contracts, SQLite or the database it is given, the machine of rules, the
FastAPI application. Only the socket is missing, and both clocks stand still until they are told to move. `start` opens
a run (`tests/contracts/protocol/log/signed_run.py`), whose parts play through the door.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from httpx import Response
from sqlmodel import SQLModel
from web3.contract.contract import ContractFunction

from api.app import create_app
from api.settings import ServerSettings
from contracts.bindings.governor import Action, description_of
from contracts.chain.connection import send
from contracts.messages.for_contracts import EpochRoot, Message, to_json
from contracts.messages.signatures import sign
from ledger.chainread import indexer
from ledger.clock import keeper
from ledger.epochs import settlement
from ledger.relay_rules import RelayRules
from ledger.storage.tables import Epoch
from tests.databases import fresh_file
from tests.deployed import PARAMS, key_of
from tests.ledger.served_run import Served, ServedRun
from tests.wire import CheckedClient

MAX_BLOB = 2**20


class Clock:
    """Unix seconds that move only when told to."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class House:
    """One server and its API, to be used as a context manager. `database` is a URL; without it SQLite in `folder`."""

    run: ServedRun

    def __init__(
        self, folder: Path, place: Served | None = None, database: str | None = None, rules: RelayRules | None = None
    ) -> None:
        self.folder, self.place, self.rules = folder, place or Served(), rules
        folder.mkdir(parents=True, exist_ok=True)
        self.database = database or fresh_file(folder)
        self.clock = Clock(int(self.place.w3.eth.get_block("latest")["timestamp"]))
        self.operator, self.creator = key_of("operator"), key_of("creator")
        self._played = ExitStack()
        self._open()

    def __enter__(self) -> House:
        self.client.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._close()
        self._played.close()

    def restart(self) -> None:
        """Close the server and start it again on what lies on the disk."""
        self._close()
        self._open()
        self.client.__enter__()
        if hasattr(self, "run"):
            self.run.ledger = self.ledger

    def _open(self) -> None:
        self.ledger = self.place.ledger(self.database, self.folder, now=self.clock, holder="house", relay=self.rules)
        for _ in range(0, self.ledger.chain.head() + 1, indexer.BATCH):  # as a keeper does that has run for a while
            indexer.follow(self.ledger)
        settings = ServerSettings(
            rpc_url="http://unused",
            deployment=self.folder / "deployment.json",
            operator_key=self.operator.key.hex(),
            database_url=self.database,
            blobs=self.folder / "blobs",
            max_blob_bytes=MAX_BLOB,
            keeper=False,
        )
        self.app = create_app(settings, self.ledger)
        self.client = CheckedClient(self.app, raise_server_exceptions=False)

    def _close(self) -> None:
        self.client.__exit__(None, None, None)
        self.ledger.store.engine.dispose()

    # -- time ---------------------------------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        """Move the clocks of ledger and chain on."""
        self.clock.now += seconds
        self.place.chain.increase_time(seconds)
        self.place.chain.mine()

    def step(self, times: int = 1) -> None:
        """What the keeper does, `times` times."""
        for _ in range(times):
            keeper.step(self.ledger)
        if hasattr(self, "run"):
            self.run.read_on()

    # -- a run --------------------------------------------------------------------------------------------------------

    def start(self, rounds: int = 2, nodes: int = 2, **terms: Any) -> House:
        """A run whose first round is open; its emission is 1,000 units, unless `terms` say otherwise."""
        given = {"emission": 1_000, **terms}
        self.run = self._played.enter_context(ServedRun.on(self.place, self.ledger, rounds, nodes=nodes, **given))
        assert self.run.round.number == 1
        return self

    @property
    def wallets(self) -> list[LocalAccount]:
        """Where the nodes are paid."""
        return [key_of(f"wallet of {node.address}") for node in self.run.nodes]

    def play_round(self) -> None:
        """One honest round; its epoch closes and waits for signatures."""
        self.run.commit_all()
        self.run.see()
        self.run.read_all()
        self.run.merge()

    # -- HTTP ---------------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> Any:
        """GET below /v1, decoded; must succeed."""
        return accepted(self.client.get("/v1" + path, params=query))

    def log(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Log entries, of one kind or all."""
        entries = [json.loads(e["body"]) for e in self.get("/log/entries", limit=1000)["entries"]]
        return [e for e in entries if kind in (None, e["kind"])]

    def payouts(self, epoch: int) -> list[dict[str, Any]]:
        """An epoch's lines, as the API gives them."""
        return list(self.get(f"/epochs/{epoch}/payouts")["payouts"])

    # -- epochs and votes ---------------------------------------------------------------------------------------------

    def root_message(self, number: int = 1) -> EpochRoot:
        """What verifiers sign for an epoch."""
        with self.ledger.store.read() as session:
            return settlement.root_message(self.ledger, session.get_one(Epoch, number))

    def cosigned(self, message: Message, signer: LocalAccount) -> dict[str, Any]:
        """A body with a verifier's word for the chain."""
        signature = sign(message, self.ledger.chain.epoch_domain, bytes(signer.key))
        return {"message": to_json(message), "signature": "0x" + signature.hex(), "signer": signer.address}

    def post_epoch(self, verifier: LocalAccount, number: int = 1) -> Response:
        """Sign an epoch's root."""
        body = self.cosigned(self.root_message(number), verifier)
        answer: Response = self.client.post(f"/v1/epochs/{number}/signatures", json=body)
        return answer

    def settle_epoch(self, number: int = 1) -> None:
        """Have k verifiers sign an epoch and wait until it is final on the chain, and in the log."""
        for verifier in self.run.verifiers[: PARAMS.threshold]:
            accepted(self.post_epoch(verifier, number))
        self.step(2)
        self.wait(PARAMS.challenge_window + 1)
        self.step(3)

    def claim(self, account: str, number: int = 1) -> list[str]:
        """Ask for an account's tokens and let the relayer mint them; returns the outbox ids."""
        answer = accepted(self.client.post(f"/v1/epochs/{number}/claims", json={"account": account}))
        self.step(2)
        return list(answer["transactions"])

    def proposal_body(self, holder: LocalAccount, description: str, decisions: list[tuple[str, str]]) -> dict[str, Any]:
        """A signed proposal as the API takes it; the decisions need not be valid."""
        description = description_of(description, holder.address)
        actions = self.ledger.chain.decision_actions(description, decisions)
        until = int(self.place.w3.eth.get_block("latest")["timestamp"]) + 3600
        signature = self.ledger.chain.governor.sign_proposal(holder, actions, description, until)
        return {
            "proposer": holder.address,
            "description": description,
            "decisions": decisions,
            "deadline": until,
            "signature": "0x" + signature.hex(),
        }

    def propose(self, holder: LocalAccount, description: str, decisions: list[tuple[str, str]]) -> str:
        """Propose and relay; returns the proposal's id."""
        answer = accepted(self.client.post("/v1/proposals", json=self.proposal_body(holder, description, decisions)))
        self.step()
        return str(answer["proposal"])

    def ballot_body(self, holder: LocalAccount, proposal: str, support: int = 1) -> dict[str, Any]:
        """A signed ballot as the API takes it."""
        ballot = self.ledger.chain.governor.sign_ballot(holder, int(proposal), support)
        return {"voter": holder.address, "support": support, "signature": "0x" + ballot.signature.hex()}

    def vote(self, holder: LocalAccount, proposal: str, support: int = 1) -> Response:
        """Hand in a signed ballot."""
        answer: Response = self.client.post(
            f"/v1/proposals/{proposal}/ballots", json=self.ballot_body(holder, proposal, support)
        )
        return answer

    def carry(self, *proposals: str, votes: Sequence[tuple[LocalAccount, int]] = ()) -> None:
        """Have proposals voted on by signature, by default for them by both holders; the keeper does the rest."""
        self.wait(PARAMS.voting_delay + 1)
        for proposal in proposals:
            for holder, support in votes or [(wallet, 1) for wallet in self.wallets]:
                accepted(self.vote(holder, proposal, support))
        self.step(2)
        self.wait(PARAMS.voting_period + 1)
        self.step(3)
        self.wait(PARAMS.timelock_delay + 2)
        self.step(4)

    def enact(self, holder: LocalAccount, *calls: ContractFunction) -> None:
        """Have a holder of most votes pass calls through governor and timelock, past the API."""
        w3, governor = self.place.w3, self.ledger.chain.governor
        actions = [Action.of(call) for call in calls]
        description = f"enacted at block {w3.eth.block_number}"
        send(w3, holder, governor.propose(actions, description))
        self.wait(PARAMS.voting_delay + 1)
        send(w3, holder, governor.cast_vote(governor.proposal_id(actions, description), 1))
        self.wait(PARAMS.voting_period + 1)
        send(w3, holder, governor.queue(actions, description))
        self.wait(PARAMS.timelock_delay + 2)
        send(w3, holder, governor.execute(actions, description))
        self.step()

    def become_holders(self, rounds: int = 2) -> House:
        """Epoch 1 paid 1,000 units: half to each of two wallets, which have coins as well."""
        self.start(rounds)
        self.play_round()
        self.settle_epoch()
        for wallet in self.wallets:
            self.claim(wallet.address)
            self.give_coins(wallet)
        self.wait(2)  # votes count from the second after they were received
        return self

    def give_coins(self, account: LocalAccount) -> None:
        """Enough for the gas of a test."""
        eth = self.place.w3.eth
        gift: dict[str, Any] = {
            "to": account.address,
            "value": 10**18,
            "gas": 21_000,
            "gasPrice": eth.gas_price,
            "chainId": eth.chain_id,
            "nonce": eth.get_transaction_count(self.creator.address),
        }
        sent = eth.send_raw_transaction(self.creator.sign_transaction(gift).raw_transaction)
        assert eth.wait_for_transaction_receipt(sent)["status"] == 1

    # -- what must not change -----------------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Every row of every table and every stored blob: equal dumps mean that nothing changed."""
        with self.ledger.store.read() as session:
            tables = SQLModel.metadata.sorted_tables
            rows = {t.name: sorted(map(repr, session.connection().execute(t.select()))) for t in tables}
        return {**rows, "blobs": sorted(p.name for p in (self.folder / "blobs").iterdir())}


def accepted(answer: Response) -> Any:
    """The decoded body of an answer that must not be a refusal."""
    assert answer.status_code < 400, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
    return answer.json()


def check_refused(answer: Response, status: int, code: str) -> None:
    """The answer must be a problem document of that status and code."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body = answer.json()
    assert (body["code"], body["status"], body["type"]) == (code, status, f"urn:commonweight:{code}"), body
    assert body["detail"], body
    assert body["title"], body
