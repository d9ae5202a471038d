"""What a host answers over HTTP: its offer to everybody, measurements to verifiers, machines to its renters.

| route | |
|---|---|
| `GET /market/host` | offer, reports, profiles |
| `POST /market/challenges`, `POST /market/challenges/{name}/...` | the parts of a measurement |
| `POST /market/reports` | a verifier's report |
| `POST /market/orders`, `POST /market/calls` | a renter's signed order with its script, and its other calls |
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.errors import CommonweightError
from contracts.hosts.errors import BadHostMessage
from contracts.hosts.signed import parse_signed, read_signed
from contracts.ids import from_hex
from contracts.messages.for_market import HostCall, HostChallenge, HostOrder, MeasuredHost
from contracts.mirrors.arrival import Arrival, TooSlow
from contracts.recursion import bound_recursion
from contracts.wire.answers import PROBLEM_TYPE
from verifier.hosts.challenged import Challenges
from verifier.hosts.errors import RentRefused
from verifier.hosts.host import Host
from verifier.hosts.renting import MOST_SCRIPT, Renting

MOST_BODY = 8_192
"""Bytes of a signed message, and of a part's numbers."""
Work = Callable[[Mapping[str, str], bytes], Any]
Most = Callable[[Mapping[str, str]], int]
"""The most bytes of a body, by the path; raises CommonweightError before any is read."""


class BodyTooLarge(BadHostMessage):
    """More bytes than any request of the route has."""

    code = "host-body-too-large"
    status = 413


class BodySlow(BadHostMessage):
    """A body that does not come, or hardly comes."""

    code = "host-body-slow"
    status = 408


def host_app(host: Host, challenges: Challenges, renting: Renting | None) -> Starlette:
    """All routes of one host; without `renting` every order is refused."""
    bound_recursion()

    def show(_: Mapping[str, str], __: bytes) -> dict[str, Any]:
        return {
            "offer": host.offer().to_json(),
            "reports": [one.to_json() for one in host.reports()],
            "profiles": host.profiles,
        }

    def begin(_: Mapping[str, str], body: bytes) -> dict[str, Any]:
        return {"challenge": challenges.begin(parse_signed(HostChallenge, body))}

    def end(at: Mapping[str, str], _: bytes) -> dict[str, Any]:
        challenges.end(at["name"])
        return {}

    def sent(at: Mapping[str, str]) -> int:
        return challenges.expected(at["name"])

    def take(at: Mapping[str, str], body: bytes) -> dict[str, Any]:
        return challenges.take(at["name"], body)

    def walk(at: Mapping[str, str], body: bytes) -> dict[str, Any]:
        asked = _object(body)
        begun, steps = asked.get("begin"), asked.get("steps")
        if not isinstance(begun, str) or not isinstance(steps, int) or len(begun) != 66:
            raise BadHostMessage("a walk has a begin of 32 bytes, and a number of steps")
        return challenges.walk(at["name"], _hex(begun), steps)

    def report(_: Mapping[str, str], body: bytes) -> dict[str, Any]:
        return {"verifier": host.take_report(parse_signed(MeasuredHost, body)).verifier}

    def order(_: Mapping[str, str], body: bytes) -> dict[str, Any]:
        if renting is None:
            raise RentRefused("this supplier runs nothing of renters")
        asked = _object(body)
        script = asked.get("script")
        if not isinstance(script, str):
            raise BadHostMessage("an order comes with its script")
        return renting.order(read_signed(HostOrder, asked.get("order")), _utf8(script)).to_json()

    def call(_: Mapping[str, str], body: bytes) -> dict[str, Any]:
        if renting is None:
            raise RentRefused("this supplier runs nothing of renters")
        return renting.call(parse_signed(HostCall, body))

    part = "/market/challenges/{name}"
    return Starlette(
        routes=[
            Route("/market/host", _answering(show)),
            Route("/market/challenges", _answering(begin), methods=["POST"]),
            Route(f"{part}/segment", _answering(lambda at, _: challenges.segment(at["name"])), methods=["POST"]),
            Route(f"{part}/traffic", _answering(take, sent), methods=["POST"]),
            Route(f"{part}/traffic", _answering(lambda at, _: challenges.give(at["name"]))),
            Route(f"{part}/memory", _answering(lambda at, _: challenges.fill(at["name"])), methods=["POST"]),
            Route(f"{part}/walk", _answering(walk), methods=["POST"]),
            Route(f"{part}/end", _answering(end), methods=["POST"]),
            Route("/market/reports", _answering(report), methods=["POST"]),
            Route("/market/orders", _answering(order, lambda _: 2 * MOST_SCRIPT + MOST_BODY), methods=["POST"]),
            Route("/market/calls", _answering(call), methods=["POST"]),
        ]
    )


def _answering(work: Work, most: Most = lambda _: MOST_BODY) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        at = {name: str(value) for name, value in request.path_params.items()}
        try:
            body = await _body(request, most(at))
            found = await run_in_threadpool(work, at, body)
        except CommonweightError as error:
            problem = {"code": error.code, "detail": error.detail, "status": error.status, "title": error.code}
            return JSONResponse(problem, error.status, media_type=PROBLEM_TYPE)
        if isinstance(found, bytes):
            return Response(found, media_type="application/octet-stream")
        return JSONResponse(found)

    return answer


async def _body(request: Request, most: int) -> bytes:
    """Raises BodyTooLarge, before more than that is in memory, BodySlow and ClientDisconnect."""
    arrival, data, more = Arrival(request.receive), bytearray(), True
    while more:
        try:
            message = await arrival.next()
        except TooSlow as error:
            raise BodySlow(str(error)) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        data += message.get("body", b"")
        if len(data) > most:
            raise BodyTooLarge(f"more than {most} bytes")
        more = message.get("more_body", False)
    return bytes(data)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BadHostMessage("a script is text that UTF-8 has") from error


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadHostMessage("that is not JSON") from error
    if not isinstance(found, Mapping):
        raise BadHostMessage("that is no object")
    return found


def _hex(text: str) -> bytes:
    try:
        return from_hex(text)
    except ValueError as error:
        raise BadHostMessage("that is not hexadecimal") from error
