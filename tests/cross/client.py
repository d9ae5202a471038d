"""A client of what openapi-python-client makes of /openapi.json: asks as client.ts does, in an environment of its own.

Stdin has where and with which keys (tests/cross/test_generated_clients.py), stdout what the server answered.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from commonweight_client import Client
from commonweight_client.api.default import claim, list_epochs, typed_data, vote
from commonweight_client.models import (
    BallotBody,
    ClaimBody,
    Epoch,
    LeafBody,
    SayMessage,
    SayMessageMessage,
    TypedData,
    Vote,
)
from eth_account import Account
from eth_account.messages import encode_typed_data


def signed(client: Any, key: str, body: Any, struct: str, meant: dict[str, Any]) -> str:
    """A signature of what the server gives, where it is what was meant."""
    said = typed_data.sync(client=client, body=body)
    assert isinstance(said, TypedData), said
    plain = said.to_dict()
    kinds = {field["name"]: field["type"] for field in plain["types"][struct]}
    message = {name: int(v) if kinds[name].startswith("uint") else v for name, v in plain["message"].items()}
    assert {name: str(message[name]) for name in meant} == {name: str(value) for name, value in meant.items()}
    assert plain["primaryType"] == struct
    typed = {"domain": plain["domain"], "types": plain["types"], "primaryType": struct, "message": message}
    signed = Account.sign_message(encode_typed_data(full_message=typed), key)
    return "0x" + bytes(signed.signature).hex()


def main() -> None:
    """Submit a message, claim, vote, read."""
    asked = json.load(sys.stdin)
    client, node, voter = Client(base_url=asked["url"]), asked["node"], asked["vote"]
    message = {"run": node["run"], "node": node["address"], "nonce": node["nonce"]}
    fields = SayMessageMessage.from_dict(message)
    leave = signed(client, node["key"], SayMessage(action="message", kind="leave", message=fields), "Leave", message)
    leaf = {"beside": {}, "kind": "leave", "message": message, "signatures": [leave]}
    # the door takes a message's one text, and a library spells JSON in its own way
    text = json.dumps(LeafBody.from_dict(leaf).to_dict(), sort_keys=True, separators=(",", ":"))
    entered = client.get_httpx_client().post("/v1/messages", content=text)
    claimed = asked["claim"]
    queued = claim.sync(number=claimed["epoch"], client=client, body=ClaimBody(account=claimed["account"]))
    cast = Vote(action="vote", proposal=voter["proposal"], voter=voter["voter"], support=1)
    meant = {"proposalId": voter["proposal"], "voter": voter["voter"], "support": 1}
    signature = signed(client, voter["key"], cast, "Ballot", meant)
    body = BallotBody(voter=voter["voter"], support=1, signature=signature)
    ballot = vote.sync(proposal=voter["proposal"], client=client, body=body)
    (epoch, *_) = list_epochs.sync(client=client)
    assert isinstance(epoch, Epoch)
    said = {"entered": entered.json(), "queued": queued.to_dict(), "ballot": ballot.to_dict(), "total": epoch.total}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
