"""A server of another model behind an address: named, and asked for nothing more."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from contracts.mirrors.peer import Peer, PeerMisbehaved
from contracts.mirrors.served_model import PATH, require_model
from contracts.recursion import bound_recursion
from tests.trainer.world import deployment
from tests.verifier.mirror import hostile
from tests.verifier.mirror.world import raw_server

pytestmark = pytest.mark.integration
OWN = deployment()


def answers(body: bytes) -> Callable[[socket.socket, bytes], None]:
    """Says this to whoever asks what is served, and nothing else."""

    def answer(connection: socket.socket, head: bytes) -> None:
        assert head.startswith(f"GET {PATH} ".encode())
        connection.sendall(hostile.OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    return answer


def look(answer: Any) -> None:
    bound_recursion()  # as every process does
    with raw_server(answer) as url:
        asyncio.run(require_model(Peer(url, loopback=True, chosen=True), OWN))


def served(**changed: Any) -> bytes:
    return json.dumps({"deployment": asdict(replace(OWN, **changed))}).encode()


@pytest.mark.parametrize(
    "changed",
    [{"chain_id": 99}, {"model": "0x" + "cd" * 32, "name": "Other\n"}, {"model_registry": "0x" + "ef" * 20}],
    ids=["chain", "model", "registry"],
)
def test_a_server_of_another_model_is_named(changed: dict[str, Any]) -> None:
    with pytest.raises(PeerMisbehaved, match=r"serves another model.*check --api and --deployment") as refused:
        look(answers(served(**changed)))
    assert "\n" not in refused.value.detail


def test_a_server_of_this_model_is_welcome() -> None:
    look(answers(served(name="renamed", model_registry=OWN.model_registry.upper().replace("0X", "0x"))))


@pytest.mark.parametrize(
    "answer",
    [
        *(answers(body) for body in (b"", b"[]", b"<html>", b'{"deployment": 7}', b'{"deployment": {"name": "x"}}')),
        answers(served(chain_id="many")),
        *(answers(served(chain_id=float(odd))) for odd in ("inf", "-inf", "nan")),
        answers(served(model=7)),
        answers(b"[" * 100_000),
        hostile.fails,
    ],
)
def test_what_says_nothing_of_a_model_is_judged_by_its_log(answer: Any) -> None:
    look(answer)
