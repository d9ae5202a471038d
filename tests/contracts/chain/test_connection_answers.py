"""What comes from the address of a chain node and is no answer of one: it fails as a lost connection does."""

from __future__ import annotations

import pytest
from requests.exceptions import RequestException

from commonweight.terminal.failures import RpcUnreachable, as_refusal
from contracts.chain.connection import connect
from tests.between import answering

pytestmark = pytest.mark.integration
PAGE = b"<html>Sign in to use this network</html>"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, PAGE),
        (200, b""),
        (200, b'{"jsonrpc": "2.0", "id"'),
        (200, b"[" * 100_000),
        (200, b"\xff\xfe"),
        (200, b"null"),
        (200, b'{"detail": "another API"}'),
        (502, PAGE),
        (503, b""),
        (504, b'{"error": "busy"}'),
        (429, b"slow down"),
        (408, b""),
    ],
)
def test_what_is_no_answer_of_a_chain_node_is_a_lost_connection(status: int, body: bytes) -> None:
    with answering(status, body) as url, pytest.raises(RequestException) as raised:
        connect(url, patience=0.0).eth.block_number  # noqa: B018
    assert isinstance(as_refusal(raised.value), RpcUnreachable)


def test_an_answer_of_a_chain_node_is_taken() -> None:
    with answering(200, b'{"jsonrpc": "2.0", "id": 0, "result": "0x10"}') as url:
        assert connect(url, patience=0.0).eth.block_number == 16
