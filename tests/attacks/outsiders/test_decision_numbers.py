"""What holders write as a number may hang nobody: spelling and length are checked before a number is read."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.errors import CommonweightError
from contracts.limits import InvalidLimits, LimitTable
from contracts.run_config import VOTABLE_KEYS, InvalidRunConfig, RunConfig
from tests.attacks.outsiders.reading import audited
from tests.world import World, check_refused, key_of

LEAST_MEMORY = 2**20
ENDLESS = "9" * 5_000
ODD = (
    "", " 1", "1 ", "1\n", "+1", "-1", "-0", "1_0", "0x1", "1e3", "1E3", "0e-99999999", "0e-999999999999999999",
    "1e999999", "1e-999999", "Infinity", "-inf", "NaN", "sNaN", "\u0661", "\uff11", "0.\u0661", "1,5", ".5", "5.",
    ENDLESS, "0." + ENDLESS, "0" * 5_000 + "1",
)  # fmt: skip
ODD_IN_JSON = ("1e999999", "-" + ENDLESS, ENDLESS, "[" * 9_000, "0." + ENDLESS, "Infinity", "NaN", '"0e-99999999"')
ON_CHAIN = (
    ("rounds", ENDLESS), ("weight_decay", "0e-999999999999999999"), ("outer_lr", "1e999999"), ("clip", "Infinity"),
    ("inner_lr", "0.\u0661"), ("compute_weight", "1_0"), ("maintainers", f"1:{'0x' + '00' * 20}" * 100),
)  # fmt: skip


@contextmanager
def narrow() -> Iterator[None]:
    """What is done within takes less than a megabyte at any time."""
    tracemalloc.start()
    try:
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < LEAST_MEMORY


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world", nodes=1) as made:
        yield made


@pytest.mark.unit
@pytest.mark.parametrize("key", VOTABLE_KEYS)
def test_an_odd_number_in_a_decision_is_refused(key: str) -> None:
    for value in ODD if key != "maintainers" else ODD[1:]:
        with narrow(), pytest.raises(InvalidRunConfig) as refused:
            RunConfig().with_decision(key, value)
        assert len(refused.value.detail) < 200


@pytest.mark.unit
@pytest.mark.parametrize("text", ODD_IN_JSON)
def test_an_odd_number_in_a_configuration_is_refused(text: str) -> None:
    for name in ("layers", "beta1"):
        values = {**json.loads(RunConfig().to_json()), name: "here"}
        with narrow(), pytest.raises(InvalidRunConfig):
            RunConfig.from_json(json.dumps(values).replace('"here"', text))


@pytest.mark.unit
def test_a_configuration_is_measured_before_it_is_read() -> None:
    text = '{"layers": [' + "1," * 100_000 + "1]}"
    with narrow(), pytest.raises(InvalidRunConfig, match="at most 10000 characters"):
        RunConfig.from_json(text)


@pytest.mark.unit
@pytest.mark.parametrize("size", ["1e999999", "Infinity", "0e-99999999", "-1", "1_0", 1])
def test_an_odd_size_in_a_table_of_limits_is_refused(size: object) -> None:
    names = ("update", "update_tensor", "moment1", "moment1_tensor", "moment2", "moment2_tensor", "slope")
    pair = {
        "profiles": ["00" * 32] * 2, "segments": 1, "steps": 1, "honest": {name: ["0"] * 3 for name in names},
        "limit": dict.fromkeys(names, "0.5"), "cheats": {},
    }  # fmt: skip
    assert LimitTable.from_json(json.dumps([pair])).pairs
    with pytest.raises(InvalidLimits):
        LimitTable.from_json(json.dumps([{**pair, "limit": dict.fromkeys(names, size)}]))


@pytest.mark.integration
def test_a_run_goes_on_after_odd_decisions(world: World) -> None:
    """Decided on the chain itself: each becomes a refusal, the run takes the good one and the audit passes."""
    world.create_run()
    world.enrol(world.nodes[0], payout=world.creator.address)
    for verifier in world.verifiers:
        world.anchor(verifier)
    world.step()
    world.play_round()
    world.settle_epoch()
    world.claim(world.creator.address)
    world.wait(2)
    chain = world.ledger.chain
    decisions = [*ON_CHAIN, ("beta1", "0"), ("clip", "2")]
    calls = [
        chain.models.decide(chain.model, place.to_bytes(32, "big"), *pair) for place, pair in enumerate(decisions, 1)
    ]
    world.enact(world.creator, *calls)
    world.mine()
    world.step()
    world.play_round()
    outcomes = [entry["outcome"] for entry in world.log("decision")]
    assert [said.split(":")[0] for said in outcomes] == ["refused"] * (len(ON_CHAIN) + 1) + ["applied"]
    assert RunConfig.from_json(world.round_view()["config"]).clip == "2"
    audited(world)
    junk = world.proposal_body(world.creator, "unsigned", [("inner_lr", "nonsense")]) | {"signature": "0x" + "11" * 65}
    check_refused(world.client.post("/v1/proposals", json=junk), 400, "contract-rejected")  # the signature comes first


@pytest.mark.integration
def test_nothing_is_parsed_before_the_signer_is_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's run, and a proposal that nobody signed."""
    blob = world.blob(b"nothing", world.creator)

    def read(*_: object) -> None:
        raise CommonweightError("a stranger's number was read")

    stranger = key_of("stranger")
    manifest = world.manifest_message(creator=stranger.address)
    proposal = world.proposal_body(world.creator, "mine", [("inner_lr", "0.01")]) | {"signature": "0x" + "11" * 65}
    monkeypatch.setattr(RunConfig, "from_json", read)
    monkeypatch.setattr(RunConfig, "with_decision", read)
    answer = world.post("/runs", manifest, stranger, config=world.config.to_json(), genesis_blob=blob)
    check_refused(answer, 422, "binding-mismatch")
    answer = world.post("/runs", world.manifest_message(), stranger, config="{}", genesis_blob=blob)
    check_refused(answer, 401, "bad-signature")
    check_refused(world.client.post("/v1/proposals", json=proposal), 403, "no-votes")
