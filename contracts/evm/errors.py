"""The failures of a chain's nodes, beside their answers."""

from __future__ import annotations

from requests.exceptions import RequestException

from contracts.errors import CommonweightError


class ChainUnavailable(CommonweightError, RequestException):
    """No chain node gave an answer in the time that a request may wait for one. The same request may succeed later.

    It is weather, as every RequestException is here.
    """

    code = "chain-unavailable"
    status = 503

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        """Seconds, as a node asked for it or 1."""


class RateLimited(RequestException):
    """A node answers in JSON that there were too many requests."""


class ChainAtFault(CommonweightError):
    """A chain node answers, and nothing may follow from what it says."""

    code = "chain-at-fault"
    status = 502


class NoFinalBlock(ChainAtFault):
    """The chain node names no final block."""

    code = "no-final-block"
    status = 503


class NodesDisagree(ChainAtFault):
    """Two chain nodes say different things of what cannot change: one of them is wrong, or on another chain."""

    code = "chain-nodes-disagree"


class ChainUnfit(ChainAtFault):
    """A node answered what does not fit the question, or another chain than the log's blocks are of."""

    code = "chain-unfit"
    status = 502


class NoJsonRpc(RequestException):
    """A reply that is no answer of a chain node: a page, half an answer, or nothing."""
