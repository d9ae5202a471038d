"""What somebody in between answers instead of the server: pages, bare statuses, and when to come again."""

from __future__ import annotations

from http import HTTPStatus

from benchmarks.weather.lines.gusts import Gust

PAGE = "<html><head><title>{said}</title></head><body><h1>{said}</h1><hr>a proxy in between</body></html>\r\n"
SIGN_IN = "<!doctype html><html><body><form action=/login>Sign in to use this network</form></body></html>\r\n"
LATER = ("503-later", "429")
TEXT, HTML = "text/plain", "text/html"


def answer(gust: Gust) -> bytes | None:
    """A whole answer, None for a kind that is none."""
    status, _, more = gust.kind.partition("-")
    if not status.isdigit():
        return None
    if gust.kind == "200-html":
        return _whole(200, HTML, SIGN_IN)
    after = f"Retry-After: {max(1, round(gust.amount))}\r\n" if gust.amount and gust.kind in LATER else ""
    said = f"{status} {HTTPStatus(int(status)).phrase}"
    if more == "html" or status == "504":
        return _whole(int(status), HTML, PAGE.format(said=said), after)
    return _whole(int(status), TEXT, f"{said}\n", after)


def bad_gateway() -> bytes:
    """Where nobody listens behind the proxy."""
    return _whole(502, HTML, PAGE.format(said="502 Bad Gateway"))


def _whole(status: int, kind: str, body: str, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
