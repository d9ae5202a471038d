"""What a mirror shows that nobody will take: no signature of it is recovered, and nothing of it is read twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.errors import BadSignature
from contracts.messages import for_log as messages
from contracts.messages.signatures import recover, sign
from contracts.mirrors.peer import Peer, PeerMisbehaved
from contracts.protocol.log.codec import canonical, slug
from contracts.protocol.log.signed import Envelope
from tests.verifier.mirror.world import (
    DOMAIN,
    NODE,
    RUN,
    VERIFIERS,
    address,
    has,
    leaf,
    make_mirror,
    mirror_on,
    serving,
)
from verifier.mirror.errors import NotWelcome
from verifier.mirror.exchange import pulling
from verifier.mirror.exchange.pulling import Puller
from verifier.mirror.http.routes import Mirror
from verifier.mirror.store import parsing
from verifier.mirror.store.parsing import Reader, Vouching

pytestmark = pytest.mark.integration
KEYS = sorted((Account.from_key(bytes([7]) * 31 + bytes([i + 1])) for i in range(6)), key=lambda a: a.address)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often something was done that costs."""
    found: Counter[str] = Counter()

    def counted(name: str, done: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            found[name] += 1
            return done(*given, **named)

        return call

    monkeypatch.setattr(parsing, "recover", counted("recovered", recover))
    monkeypatch.setattr(Reader, "parse", counted("read", Reader.parse))
    return found


def contribution(number: int, keys: list[Any] = KEYS) -> bytes:
    """Signed by several, none of whom is a maintainer."""
    message = messages.Contribution(RUN, 1, "s", str(number), "MIT", keys[0].address, 1)
    signed = tuple(sign(message, DOMAIN, bytes(key.key)) for key in keys)
    return canonical({"kind": slug(type(message)), **Envelope(message, signed, {}).body()}).encode()


def shows(bodies: list[bytes], mirrors: str = "") -> Starlette:
    async def page(request: Request) -> Response:
        since = int(request.query_params["since"])
        texts = [f'{{"body":{b.decode()},"sequence":{n}}}' for n, b in enumerate(bodies, 1) if since < n <= since + 64]
        return Response(f'{{"last":{len(bodies)},"messages":[{",".join(texts)}],"store":"x"}}')

    async def addresses(_request: Request) -> Response:
        return Response(f'{{"mirrors":[{mirrors}],"evidence":[]}}')

    return Starlette(routes=[Route("/messages", page), Route("/mirrors", addresses)])


def look(puller: Puller, url: str) -> bool:
    return asyncio.run(puller.messages("v", Peer(url, True)))


def puller_of(mirror: Mirror) -> Puller:
    return Puller(mirror.reader, mirror.messages, mirror.book, mirror.copy)


@pytest.fixture
def unwelcoming(tmp_path: Path) -> Mirror:
    return make_mirror(tmp_path, is_welcome=lambda claim: False)


def test_an_unwelcome_message_is_read_once_without_its_signer(unwelcoming: Mirror, calls: Counter[str]) -> None:
    puller = puller_of(unwelcoming)
    with serving(shows([contribution(1), has(1), has(2)])) as url:
        assert [look(puller, url) for _ in range(3)] == [True] * 3
    assert (calls["recovered"], calls["read"]) == (0, 3)


def test_a_look_reads_no_more_of_what_is_not_welcome(
    unwelcoming: Mirror, calls: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "MOST_UNWELCOME", 3)
    puller = puller_of(unwelcoming)
    with serving(shows([has(number) for number in range(5)])) as url:
        assert look(puller, url) is False
        assert calls["read"] == 3
        look(puller, url)
    assert calls["read"] == 4, "of those that wait three are asked about, and the next one is read"


def test_garbage_is_read_once_and_ends_a_look(tmp_path: Path, calls: Counter[str]) -> None:
    mirror = make_mirror(tmp_path)
    message = messages.Has(RUN, 1, VERIFIERS[0].address, ())
    puller = puller_of(mirror)
    with serving(shows([leaf(message, NODE)] * 20)) as url:
        with pytest.raises(PeerMisbehaved):
            look(puller, url)
        assert (calls["recovered"], calls["read"]) == (1, 1)
        with pytest.raises(PeerMisbehaved):
            look(puller, url)
    assert (calls["recovered"], calls["read"]) == (1, 1)


def test_known_or_refused_addresses_are_not_read_again(tmp_path: Path, calls: Counter[str]) -> None:
    mirror = make_mirror(tmp_path)
    good, bad = address("http://127.0.0.1:1"), address("http://127.0.0.1:2", key=NODE)
    puller = puller_of(mirror)
    with serving(shows([], ",".join(f'{{"message":{text.decode()}}}' for text in (good, bad)))) as url:
        for _ in range(3):
            asyncio.run(puller.addresses(Peer(url, True)))
    assert (calls["recovered"], calls["read"]) == (1, 1)
    assert list(mirror.book.newest()) == [VERIFIERS[0].address]


def test_who_is_admitted_later_is_found_at_its_old_address(tmp_path: Path) -> None:
    """A copy that has not read yet who the verifiers are refuses nobody for good."""
    admitted: set[str] = set()
    mirror = make_mirror(tmp_path, is_verifier=lambda name: name in admitted)
    puller = puller_of(mirror)
    shown = [address(f"http://127.0.0.1:{number}", key=key) for number, key in enumerate(VERIFIERS, start=1)]
    with serving(shows([], ",".join(f'{{"message":{text.decode()}}}' for text in shown * 3))) as url:
        asyncio.run(puller.addresses(Peer(url, True)))
        assert mirror.book.newest() == {}
        admitted.update(str(key.address) for key in VERIFIERS)
        asyncio.run(puller.addresses(Peer(url, True)))
    assert set(mirror.book.newest()) == admitted


def test_a_signature_is_recovered_once(tmp_path: Path, calls: Counter[str]) -> None:
    mirror = make_mirror(tmp_path)
    mirror.messages.take(has(1))
    mirror.messages.take(has(1))
    assert calls["recovered"] == 1
    mirror.messages.take(contribution(1))
    assert calls["recovered"] == 1 + len(KEYS)


def test_of_many_signatures_the_first_strangers_ends_it(tmp_path: Path, calls: Counter[str]) -> None:
    mirror = make_mirror(tmp_path, is_welcome=lambda asked: not isinstance(asked, Vouching) or not asked.signer)
    with pytest.raises(NotWelcome):
        mirror.messages.take(contribution(1))
    assert calls["recovered"] == 1


def test_a_message_of_one_author_has_one_signature(tmp_path: Path, calls: Counter[str]) -> None:
    message = messages.Has(RUN, 1, VERIFIERS[0].address, ())
    signed = (sign(message, DOMAIN, bytes(VERIFIERS[0].key)),) * 2
    text = canonical({"kind": slug(type(message)), **Envelope(message, signed, {}).body()}).encode()
    with pytest.raises(BadSignature):
        make_mirror(tmp_path).messages.take(text)
    assert calls["recovered"] == 0


def test_nobody_sends_an_address_of_one_who_is_no_verifier(tmp_path: Path, calls: Counter[str]) -> None:
    mirror = make_mirror(tmp_path)
    with mirror_on(mirror) as url:
        answer = httpx.post(f"{url}/messages", content=address("http://127.0.0.1:1", key=NODE))
    assert (answer.status_code, answer.json()["code"]) == (403, "not-welcome")
    assert calls["recovered"] == 0
