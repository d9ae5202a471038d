"""The trouble with a chain node, for people: a few words instead of the errors of web3 and its transport."""

from __future__ import annotations

from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import HTTPError, InvalidSchema, InvalidURL, MissingSchema, Timeout

from contracts.evm.errors import ChainUnavailable, RateLimited


def chain_trouble(error: BaseException) -> str:
    """How a request to a chain node failed. Its address may bear a key, and is not in it."""
    if isinstance(error, ChainUnavailable):
        return chain_trouble(error.__cause__) if error.__cause__ is not None else error.detail
    if isinstance(error, RateLimited):
        return "minds the number of requests"
    if isinstance(error, Timeout):
        return "does not answer in time"
    if isinstance(error, HTTPError) and error.response is not None:
        return f"failed ({error.response.status_code})"
    if isinstance(error, NotConnected):
        return "cannot be reached, or broke off"
    if isinstance(error, (InvalidURL, InvalidSchema, MissingSchema)):
        return "has an address, or is behind a proxy, that cannot be asked over HTTP"
    return f"answered with something else ({type(error).__name__})"
