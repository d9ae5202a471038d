"""One or several nodes of a chain as one provider of web3: it asks again for a while, fails over, and compares.

    a read     ── the node that answered last ── weather ── the next one ── … ── a pause ── and again
    settled    ── two of them, where several are given: both say the same, or nothing follows (evm/agreement.py)

A request waits for `patience` seconds at most. Once that was in vain, each of the following is tried at every node once
only, until one answers: an outage costs its patience once, and not each request. How many may wait at a time is bounded
(evm/places.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from requests.exceptions import HTTPError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_before_delay,
    stop_when_event_set,
    wait_exponential_jitter,
)
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from contracts.evm import agreement
from contracts.evm.chain_trouble import chain_trouble
from contracts.evm.errors import ChainAtFault, ChainUnavailable, NodesDisagree
from contracts.evm.finality import BY_NUMBER, final_block, is_final_block, number_of
from contracts.evm.http import AskLater, OneNode
from contracts.evm.log_refusals import CLOSED
from contracts.evm.places import Places

PATIENCE_SECONDS = 5.0
LATEST = 2**64
"""Above every block."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
"""Seconds between two tries, about doubled each time; a node's own Retry-After counts where it is longer."""


class ChainNodes(JSONBaseProvider):
    """The nodes of one chain. Threads may share it.

    `depth` is how many blocks behind the newest one is final, None for the chain's own word (evm/finality.py).
    """

    def __init__(self, nodes: Sequence[OneNode], depth: int | None = None, patience: float = PATIENCE_SECONDS) -> None:
        super().__init__()
        self._nodes = list(nodes)
        self._depth = depth
        self._patience = patience
        self._first = 0
        self._away = False
        self._final = -1
        self._places = Places()

    @property
    def endpoint_uri(self) -> str:
        """All addresses: what is learnt of how a node answers is learnt of these together."""
        return " ".join(str(node.endpoint_uri) for node in self._nodes)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Raises ChainUnavailable, NodesDisagree, NoFinalBlock, and RequestException where a node's refusal will not
        pass."""
        tries = Retrying(
            stop=stop_before_delay(0 if self._away else self._patience) | stop_when_event_set(self._places.closed),
            wait=_pause,
            retry=retry_if_exception_type(AskLater),
            reraise=True,
        )
        try:
            with self._places.one():
                answer = tries(self._once, method, params)
        except AskLater as weather:
            self._away = True
            raise ChainUnavailable(self._words(weather), max(1, round(weather.wait))) from weather.cause
        self._away = False
        return answer

    def hang_up(self) -> None:
        """Awaited requests fail at once, and so do all from now on."""
        self._places.close()
        for node in self._nodes:
            node.hang_up()

    def _words(self, weather: AskLater) -> str:
        if not weather.alone:
            return f"the chain node {chain_trouble(weather.cause)}; try again shortly"
        return (
            f"of {len(self._nodes)} chain nodes one answers, and what is final is read from two: another one "
            f"{chain_trouble(weather.cause)}"
        )

    def _once(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Raises AskLater where no node, or of settled things only one, answers."""
        if is_final_block(method, params):
            return self._final_block()
        if len(self._nodes) > 1 and self._is_settled(method, params):
            return self._agreed(method, params)
        return self._from_any(method, params)

    def _is_settled(self, method: RPCEndpoint, params: Any) -> bool:
        """By the newest block that two nodes called final; before the first, two nodes are asked for one."""
        if self._final < 0 and method != "eth_chainId" and agreement.is_settled(method, params, LATEST):
            self._final_block()
        return agreement.is_settled(method, params, self._final)

    def _from_any(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """From the node that answered last, or the next one that does."""
        troubles: list[AskLater | ChainAtFault] = []
        for index in self._order():
            try:
                answer = self._ask(self._nodes[index], method, params)
            except (AskLater, ChainAtFault) as trouble:
                troubles.append(trouble)
                continue
            self._first = index
            return answer
        raise _least(troubles)

    def _agreed(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer that two nodes give alike; where one has nothing, as one that is behind has, that one's answer."""
        (_, first), (_, second) = self._two(lambda node: self._ask(node, method, params))
        if agreement.lacks(first) or agreement.lacks(second):
            return first if agreement.lacks(first) else second
        if not agreement.same(method, first, second):
            raise NodesDisagree(f"two chain nodes answer {method} differently: nothing follows until they agree")
        return first

    def _final_block(self) -> RPCResponse:
        """The final block; of several nodes the lower one, if another has the same block there."""
        if len(self._nodes) == 1:
            return final_block(self._nodes[0].ask, self._depth)
        answers = self._two(lambda node: final_block(partial(self._ask, node), self._depth))
        (_, low), (ahead, high) = sorted(answers, key=lambda pair: number_of(pair[1]) or 0)
        number = number_of(low) or 0
        if number != number_of(high):
            high = self._ask(ahead, BY_NUMBER, [hex(number), False])
        if not agreement.same(BY_NUMBER, low, high):
            raise NodesDisagree(f"two chain nodes have different blocks {number}, which both call final")
        self._final = max(self._final, number)
        return low

    def _two(self, ask: Callable[[OneNode], RPCResponse]) -> list[tuple[OneNode, RPCResponse]]:
        """The first two nodes that answer in the right form, and their answers."""
        answers = list[tuple[OneNode, RPCResponse]]()
        troubles = list[AskLater | ChainAtFault]()
        for index in self._order():
            try:
                answers.append((self._nodes[index], ask(self._nodes[index])))
            except (AskLater, ChainAtFault) as trouble:
                troubles.append(trouble)
            if len(answers) == 2:
                return answers
        least = _least(troubles)
        raise AskLater(least.cause, least.wait, alone=bool(answers)) if isinstance(least, AskLater) else least

    def _ask(self, node: OneNode, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer of a node; of several nodes one that lets nobody in, as where a key ran out, is away."""
        try:
            return node.ask(method, params)
        except HTTPError as error:
            if len(self._nodes) > 1 and error.response is not None and error.response.status_code in CLOSED:
                raise AskLater(error) from error
            raise

    def _order(self) -> list[int]:
        """Indexes of the nodes, from the one that answered last."""
        return [(self._first + step) % len(self._nodes) for step in range(len(self._nodes))]


def _least(troubles: Sequence[AskLater | ChainAtFault]) -> AskLater | ChainAtFault:
    """The trouble that passes soonest; a node at fault where none does."""
    passing = [trouble for trouble in troubles if isinstance(trouble, AskLater)]
    return min(passing, key=lambda trouble: trouble.wait) if passing else troubles[0]


def _pause(state: RetryCallState) -> float:
    """Seconds before the next try."""
    weather = state.outcome.exception() if state.outcome is not None else None
    backoff = wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE)
    return max(backoff(state), weather.wait if isinstance(weather, AskLater) else 0.0)
