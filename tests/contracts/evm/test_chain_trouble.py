"""Words for what a chain node's transport raises: short, and without the address, which may bear a key."""

from __future__ import annotations

import pytest
import requests

from contracts.evm.chain_trouble import chain_trouble

pytestmark = pytest.mark.unit
URL = "https://rpc.example/v2/secret"


def failed(status: int) -> requests.HTTPError:
    answer = requests.Response()
    answer.status_code, answer.url = status, URL
    with pytest.raises(requests.HTTPError) as raised:
        answer.raise_for_status()
    return raised.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (failed(429), "failed (429)"),
        (failed(502), "failed (502)"),
        (requests.ReadTimeout(URL), "does not answer in time"),
        (requests.ConnectTimeout(URL), "does not answer in time"),
        (requests.ConnectionError(URL), "cannot be reached, or broke off"),
        (
            requests.exceptions.InvalidSchema(URL),
            "has an address, or is behind a proxy, that cannot be asked over HTTP",
        ),
        (
            requests.exceptions.MissingSchema(URL),
            "has an address, or is behind a proxy, that cannot be asked over HTTP",
        ),
        (ValueError(URL), "answered with something else (ValueError)"),
    ],
)
def test_each_trouble_has_words(error: Exception, words: str) -> None:
    assert chain_trouble(error) == words
