"""The address of a server or a chain node, as people and environment variables give it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit


def require_http_url(text: str) -> str:
    """The address without blanks around it. Raises ValueError: a text that is no address would be waited for like one
    that does not answer."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is none, or half an address of IPv6
        fits = False
    if not fits or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError(f"{text!r} is not an address: http:// or https://, a host, and a port if it has one")
    return url


def http_url_or_nothing(text: str) -> str:
    """As `require_http_url`; blanks are nothing. Raises ValueError."""
    return require_http_url(text) if text.strip() else ""
