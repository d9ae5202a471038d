"""Only bytes that hash to what the node signed convict it: what a server or a disk spoils, or loses, says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from httpx import Response

from contracts.errors import CommonweightError
from contracts.tensorfile import pack
from tests.attacks.outsiders.hostile import Between, Reader, read_by, seat, serve, step_all
from tests.world import TINY, UNDECIDED, World, genesis
from trainer.client import ApiClient, BlobCorrupt
from verifier.checks import Case, check_binding, check_end, check_segment
from verifier.errors import CheckFailed

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("blobs") / "world", nodes=1) as made:
        made.start(samples=TINY.segments)
        proof = made.commit(made.nodes[0])
        seat(made, proof)
        for verifier in made.verifiers:
            made.draw(verifier, proof)
        serve(made, proof, made.nodes[0])
        yield made


def proof_of(world: World) -> str:
    return str(world.round_view()["proofs"][0]["proof"])


def judge(world: World, client: ApiClient, **shown: Any) -> list[str]:
    """Run every check; what said nothing for or against the node. A reject ends the test."""
    proof, doubts = proof_of(world), []
    case = Case(client, {**world.get(f"/proofs/{proof}"), **shown}, world.round_view())
    checks: list[Callable[[], object]] = [lambda: check_binding(case), lambda: check_end(case)]
    checks += [lambda s=s: check_segment(case, s, world.corpus) for s in range(case.config.segments)]  # type: ignore[misc]
    for check in checks:
        try:
            check()
        except CheckFailed as failure:
            pytest.fail(f"honest work was rejected: {failure.reason.slug}, {failure.detail}")
        except CommonweightError as doubt:
            doubts.append(doubt.code)
    return doubts


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


SPOILT: dict[str, Callable[[bytes], Response]] = {
    "a flipped bit": lambda data: Response(200, content=flipped(data)),
    "a cut file": lambda data: Response(200, content=data[:-9]),
    "no bytes": lambda _: Response(200, content=b""),
    "a lost file": lambda _: Response(404, json={"code": "not-found", "detail": "no blob"}),
    "a proxy's 502": lambda _: Response(502, text="<html>bad gateway</html>"),
    "not finite": lambda _: Response(200, content=pack({"theta.a": np.full(3, np.nan, np.float32)})),
}


@pytest.mark.parametrize("what", SPOILT)
@pytest.mark.parametrize("kind", ["opening", "gradient", "theta"])
def test_spoilt_bytes_convict_nobody(world: World, kind: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    view, client = world.get(f"/proofs/{proof_of(world)}"), world.api_client(world.verifiers[0])
    names = {
        "opening": {opened["blob"] for opened in view["openings"].values()},
        "gradient": {view["gradient_blob"]}, "theta": {world.round_view()["theta"]["blob"]},
    }[kind]  # fmt: skip
    ask = client._http.get

    def spoilt(path: str, **query: Any) -> Response:
        name = path.removeprefix("/blobs/")
        return SPOILT[what](world.ledger.blobs.get(name)) if name in names else ask(path, **query)

    monkeypatch.setattr(client._http, "get", spoilt)
    assert judge(world, client)


@pytest.mark.parametrize("kind", ["gradient_blob", "openings"])
def test_another_blob_than_the_signed_one_convicts_nobody(world: World, kind: str) -> None:
    """The server names sound bytes of somebody else, under a name that fits them."""
    other = world.blob(pack({n: v + np.float32(1) for n, v in genesis(world.config).items()}), world.nodes[0])
    view = world.get(f"/proofs/{proof_of(world)}")
    opened = {name: {**given, "blob": other} for name, given in view["openings"].items()}
    doubts = judge(world, world.api_client(), **{kind: other if kind == "gradient_blob" else opened})
    assert doubts == (["cannot-judge"] if kind == "gradient_blob" else [])  # an opening's blob is a signed name


def test_a_spoilt_cache_is_fetched_again(world: World, tmp_path: Path) -> None:
    client = world.api_client(world.verifiers[0], tmp_path / "cache")
    assert judge(world, client) == []
    kept = sorted((tmp_path / "cache").iterdir())
    assert len(kept) == 5
    for file in kept:
        file.write_bytes(flipped(file.read_bytes()))
    assert judge(world, client) == []
    assert all(blake3(file.read_bytes()).hexdigest() == file.name for file in kept)


def test_a_blobs_name_is_no_path(world: World, tmp_path: Path) -> None:
    """A server that names a file of the verifier's own disk."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"the verifier's own")
    client = world.api_client(world.verifiers[0], tmp_path / "cache")
    for name in ("../secret", str(secret), "", "00" * 31, "A" * 64):
        with pytest.raises(BlobCorrupt):
            client.blob(name)
    assert secret.read_bytes() == b"the verifier's own"


def test_a_signed_opening_is_never_called_withheld(tmp_path: Path) -> None:
    """The server shows no opening at all, and says that the time is up: the verifier's log knows better."""
    with World(tmp_path / "world", nodes=1) as world:
        world.start(samples=TINY.segments)
        proof = world.commit(world.nodes[0])
        reader = Reader(world, world.verifiers[0], Between)
        lies = reader.service.client.lies  # type: ignore[attr-defined]
        lies[r"/proofs/0x[0-9a-f]*"] = lambda view: {**view, "openings": {}}
        read_by(world, proof, [reader], lambda: serve(world, proof, world.nodes[0]))
        (verdict,) = world.log("verdict")
        assert verdict["message"]["outcome"] == UNDECIDED, reader.told("verdict")


def test_what_the_server_calls_opened_must_stand_in_the_log(tmp_path: Path) -> None:
    """Else the verifier would look for openings before the node had sent them, and call them withheld."""
    with World(tmp_path / "world", nodes=1) as world:
        world.start(samples=TINY.segments)
        proof = world.commit(world.nodes[0])
        reader = Reader(world, world.verifiers[0], Between)
        lies = reader.service.client.lies  # type: ignore[attr-defined]
        lies[r"/proofs/.*/status"] = lambda status: {**status, "opened": list(range(world.config.segments + 1))}
        seat(world, proof)
        step_all([reader], 3)
        assert world.log("verdict") == []
        serve(world, proof, world.nodes[0])
        step_all([reader], 3)
        assert [entry["message"]["outcome"] for entry in world.log("verdict")] == [1]
