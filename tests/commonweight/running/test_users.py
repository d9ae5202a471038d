"""Who runs it and where: root or not, a user without name and home, a disk that takes files in one folder alone."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commonweight.running.box import CONTAINER, USERS, User, no_box
from tests.commonweight.running.yard import Yard, children, new_port, yard_in
from tests.deployed import key_of
from tests.service.stage import wallet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900), pytest.mark.skipif(bool(no_box()), reason=no_box())]
REST = [user for user in USERS if user is not CONTAINER]
EACH = [CONTAINER, *(pytest.param(user, marks=pytest.mark.longest) for user in REST)]


@pytest.fixture(scope="module", params=EACH, ids=lambda user: user.name)
def user(request: pytest.FixtureRequest) -> User:
    found: User = request.param
    return found


@pytest.fixture(scope="module")
def yard(user: User, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with yard_in(tmp_path_factory.mktemp("yard")) as made:
        made.hand_to(user)
        yield made


@pytest.mark.parametrize("name", ["chain", "serve", "keeper"])
def test_chain_server_and_keeper_run(yard: Yard, user: User, name: str) -> None:
    """Before a round is played: afterwards the chain has an epoch that no second server's log has."""
    port = new_port()
    with yard.started(yard.command(name, port), user) as started:
        yard.ready(name, port, started)
        started.process.send_signal(signal.SIGTERM)
        assert started.ended() == 0, started.said()
        assert started.out.read_text().splitlines()[-1] == "ended by SIGTERM"
        assert started.err.read_text() == ""


def test_a_node_and_a_verifier_do_a_round(yard: Yard, user: User) -> None:
    with (
        yard.started(yard.command("verifier", new_port()), user) as verifier,
        yard.started(yard.command("node", 0), user) as node,
    ):
        verifier.until_said("verdict ")
        node.until_said("detail=posted")
        workers = children(verifier.process.pid)
        assert workers, "its segments were replayed by a worker"
        for started in (node, verifier):
            started.process.send_signal(signal.SIGTERM)
        assert [started.ended() for started in (node, verifier)] == [0, 0]
        for started in (node, verifier):
            assert started.out.read_text().splitlines()[-1] == "ended by SIGTERM"
            assert started.err.read_text() == ""
            assert "warning" not in started.out.read_text(), started.said()
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_keys_wallet_and_gov_answer(yard: Yard, user: User) -> None:
    made = yard.run("keys", "new", "--out", str(yard.folder / "new.json"), "--json", user=user)
    assert (made.returncode, made.stderr) == (0, "")
    assert json.loads(made.stdout)["keystore"] == str(yard.folder / "new.json")
    ada, api = key_of("ada").address, ("--api", yard.stage.api, "--rpc-url", yard.stage.rpc)
    shown = yard.run("wallet", "balance", wallet("ada"), *api, "--json", user=user)
    assert (shown.returncode, shown.stderr) == (0, "")
    listed = yard.run("gov", "list", *api[:2], "--json", user=user)
    assert (listed.returncode, listed.stderr) == (0, "")
    deployment = ("--deployment", str(yard.folder / "deployment.json"))
    checked = yard.run("model", "check", *deployment, *api[2:], user=user)
    assert (checked.returncode, checked.stderr) == (0, "")
    keystore = ("--keystore", str(yard.folder / "ada.json"))
    lent = yard.run("wallet", "delegate", *keystore, "--to", ada, *api, user=user)
    assert lent.stderr.count("\n") <= 1, "a refusal is one line"
    assert "Traceback" not in lent.stderr
    assert not (yard.folder / "~").exists()


@pytest.mark.parametrize("name", ["serve", "keeper", "node", "verifier"])
def test_a_folder_that_takes_no_files_is_one_line(yard: Yard, user: User, name: str) -> None:
    if user.number == 0 and not user.read_only:
        pytest.skip("root may write everywhere")
    words = yard.command(name, new_port())
    words[words.index("--folder") + 1] = "here"  # in `/`, where it runs
    with yard.started(words, user) as started:
        assert started.ended() == 1
        assert started.err.read_text().split(":")[0] == (
            "database-missing" if name == "keeper" else "folder-unwritable"
        )
        assert "here" in started.err.read_text()
        assert started.err.read_text().count("\n") == 1, started.said()
