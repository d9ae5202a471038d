"""Start scripts for providers that take only so many characters."""

from __future__ import annotations

import base64
import gzip

from commonweight.market.errors import RequestRefused

_UNPACK = "echo {packed}|base64 -d|gunzip >/root/start.sh;bash /root/start.sh"


def fitted(script: str, most: int, provider: str) -> str:
    """The script, or one line of shell that unpacks and runs it where it has more than `most` characters. Raises
    RequestRefused where even that line is too long."""
    if len(script) <= most and script.isascii():
        return script
    packed = base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode()
    line = _UNPACK.format(packed=packed)
    if len(line) > most:
        raise RequestRefused(
            f"{provider} takes start scripts of {most} characters, and this one has {len(script)}, packed {len(line)}"
        )
    return line
