"""A server whose disk is full, really: it says so, keeps no byte of what it refused, and goes on when there is room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3

from contracts.protocol.log.leaf import write
from tests.api.routes.test_blobs import DATA, announce, ticket
from tests.databases import fresh_file
from tests.house import House, accepted, check_refused
from tests.small_disk import contents, fill, on_small_disk

pytestmark = pytest.mark.integration
NAME = blake3(DATA).hexdigest()


def committed(house: House) -> str:
    """The second node's commitment, as it travels."""
    run, node = house.run, house.run.nodes[1]
    entries = run.entries(node, run.round.number)
    paths = {f"{name}_path": run.path(entries, place) for name, place in (("first", 0), ("last", len(entries) - 1))}
    return write(run.envelope(run.commitment(node), node, **paths))


@on_small_disk(2**24)
def test_a_full_disk_is_said_and_leaves_the_folder_as_it_was(disk: Path) -> None:
    with House(disk / "house", database=fresh_file(disk)) as house:
        house.start()
        announce(house, DATA)
        filler = fill(disk, left=0)
        before, room = contents(disk), os.statvfs(disk).f_bavail
        for _ in range(3):
            answer = house.client.put(f"/v1/blobs/{NAME}", content=DATA, headers=ticket(house))
            check_refused(answer, 507, "disk-full")
        assert (contents(disk), os.statvfs(disk).f_bavail) == (before, room)

        message, rows = committed(house), len(house.log())
        check_refused(house.client.post("/v1/messages", content=message), 507, "disk-full")
        assert len(house.log()) == rows

        filler.unlink()
        assert accepted(house.client.put(f"/v1/blobs/{NAME}", content=DATA, headers=ticket(house))) == {"blob": NAME}
        accepted(house.client.post("/v1/messages", content=message))
        assert len(house.log()) > rows
