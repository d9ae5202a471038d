"""The Dockerfile, built where an engine works: who runs in it, what it holds, and that it ends when told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from commonweight.keystore import FILE_VARIABLE
from tests.commonweight.running.engine import OFFLINE, ROOT, base_image, buildah, mounts, no_engine
from tests.commonweight.running.yard import Started, answers, new_port

HERE = pytest.mark.skipif(bool(no_engine()), reason=no_engine())
pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]
USER, VOLUME = 10001, "/var/lib/commonweight"
OTHERS = (0, 54321)
"""Users that an engine is told to run it as: root, and a number that nobody named."""
CHAIN_ID = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name = f"localhost/commonweight-test-{os.getpid()}"
    with base_image(tmp_path_factory.mktemp("base"), f"{name}-base") as base:
        given = ("--build-arg", f"BASE={base}", "--build-arg", f"PIP_OPTIONS={OFFLINE}")
        buildah(
            "build", "--isolation", "chroot", *mounts(), *given, "--file", "deploy/Dockerfile", "--tag", name, str(ROOT)
        )
        yield name
        buildah("rmi", "--force", name)


@pytest.fixture
def container(image: str) -> Iterator[str]:
    made = buildah("from", image)
    yield made
    buildah("rm", made)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """What a user mounts beside the volume: the passphrase in a file, which nobody else may read."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "passphrase").write_text("correct horse\n")
    hand_to(USER, folder)
    return folder


def hand_to(user: int, folder: Path) -> None:
    """A folder and its files, for nobody else."""
    for path in (folder, *folder.iterdir()):
        os.chown(path, user, user)
        path.chmod(0o700)


def in_container(container: str, keys: Path, *words: str, options: tuple[str, ...] = ()) -> list[str]:
    return [
        "buildah",
        "run",
        "--isolation",
        "chroot",
        *options,
        *mounts(),
        "--volume",
        f"{keys}:/keys:ro",
        "--env",
        f"{FILE_VARIABLE}=/keys/passphrase",
        container,
        "--",
        *words,
    ]


def test_the_base_is_an_argument_and_no_secret_is_named() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    orders = [line for line in lines if line and not line.startswith("#")]
    assert orders[0].startswith("ARG BASE=")
    assert orders[1] == "FROM ${BASE}"
    assert not any("passphrase" in line.lower() or "keystore" in line.lower() for line in orders)


@HERE
def test_an_image_has_one_volume_a_user_and_no_secret(image: str) -> None:
    made = json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]["config"]
    assert made["User"] == f"{USER}:{USER}"
    assert list(made["Volumes"]) == [VOLUME]
    assert made["Entrypoint"] == ["commonweight"]
    assert {line.split("=")[0] for line in made["Env"]} == {"PATH", "PYTHONPATH", "PYTHONUNBUFFERED"}


@HERE
def test_a_key_is_made_in_the_volume_and_opens_again(container: str, keys: Path) -> None:
    made = ran(container, keys, "commonweight", "keys", "new", "--out", f"{VOLUME}/node.json", "--json")
    again = ran(container, keys, "commonweight", "keys", "address", "node.json")
    assert json.loads(made)["address"] == again.strip()
    assert ran(container, keys, "/bin/sh", "-c", f"stat -c %u:%a {VOLUME}/node.json").strip() == f"{USER}:600"


def ran(container: str, keys: Path, *words: str, options: tuple[str, ...] = ()) -> str:
    done = tried(container, keys, *words, options=options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tried(container: str, keys: Path, *words: str, options: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = in_container(container, keys, *words, options=options)
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def as_user(user: int, folder: Path) -> tuple[str, ...]:
    """The engine's options: who runs it, in a folder of the machine."""
    return ("--user", f"{user}:{user}", "--volume", f"{folder}:/kept", "--workingdir", "/kept")


@HERE
@pytest.mark.parametrize("user", OTHERS)
def test_another_user_keeps_a_key_in_its_folder(container: str, keys: Path, tmp_path: Path, user: int) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for folder in (kept, keys):
        hand_to(user, folder)
    options = as_user(user, kept)
    made = ran(container, keys, "commonweight", "keys", "new", "--out", "node.json", "--json", options=options)
    again = ran(container, keys, "commonweight", "keys", "address", "node.json", options=options)
    assert json.loads(made)["address"] == again.strip()
    assert (kept / "node.json").stat().st_uid == user


@HERE
def test_a_folder_of_another_user_is_one_line(container: str, keys: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    hand_to(USER, kept)
    hand_to(OTHERS[1], keys)
    words = ("commonweight", "keys", "new", "--out", "/kept/node.json")
    refused = tried(container, keys, *words, options=as_user(OTHERS[1], kept)[:4])
    assert refused.returncode == 1
    line, *engine = refused.stderr.splitlines()
    assert line.startswith("system-refused: /kept/node.json")
    assert line.endswith("permission denied")
    assert all("exit" in said for said in engine)


def pid_of(words: str) -> int:
    """Of the Python in the container; the engine's own processes name the words as well."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if line.startswith("/opt/commonweight/bin/python") and words in line:
                return int(entry.name)
    raise AssertionError(f"nobody runs {words}")


@HERE
def test_a_command_in_it_answers_and_ends_when_told(container: str, keys: Path, tmp_path: Path) -> None:
    port, out, err = new_port(), tmp_path / "out", tmp_path / "err"
    words = in_container(container, keys, "commonweight", "chain", "--port", str(port))
    with out.open("wb") as to, err.open("wb") as errors:
        process = subprocess.Popen(words, stdout=to, stderr=errors, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        started = Started(process, out, err)
        started.until(lambda: answers("POST", f"http://127.0.0.1:{port}", json=CHAIN_ID))
        os.kill(pid_of(f"chain --port {port}"), signal.SIGTERM)  # as an engine does: the first process alone
        assert started.ended() == 0, started.said()
        assert out.read_text().splitlines()[-1] == "ended by SIGTERM"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
