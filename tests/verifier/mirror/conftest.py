"""A mirror, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.verifier.mirror.world import make_mirror, mirror_on
from verifier.mirror.http.routes import Mirror


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return make_mirror(tmp_path)


@pytest.fixture
def client(mirror: Mirror) -> Iterator[httpx.Client]:
    with mirror_on(mirror) as url, httpx.Client(base_url=url, timeout=20, verify=False) as client:
        yield client
