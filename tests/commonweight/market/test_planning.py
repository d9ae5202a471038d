"""What a plan says of memory is what a node says before it enrols: one arithmetic, held at its edges."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from commonweight.commands.model.plan import plan
from commonweight.market import planning
from commonweight.market.cards import CARDS, Card, UnknownCard, cards_named
from commonweight.market.gpus import GPUS
from commonweight.market.planning import DEFAULT_SHARE, Device, Fit, device_of_card, document, fit
from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import SIZES
from tests.commonweight.conftest import Command
from trainer.model import memory
from trainer.model.flops import passes, token_flops
from trainer.model.memory import Bytes, DoesNotFit, Way, needs, require_room

pytestmark = pytest.mark.unit
CARD = Card("4090", 24, 82.6, 165.2)
CASES = [
    ("1M", "exact", False),
    ("150M", "exact", False),
    ("7B", "exact", False),
    ("1M", "portable", False),
    ("15M", "portable", True),
    ("1.1B", "portable", True),
]
"""Size, profile, and whether on a card."""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What this machine says of its memory, in whole KiB as Linux does."""
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    return tmp_path / "meminfo"


def sized(size: str, profile: str) -> RunConfig:
    return replace(RunConfig(**SIZES[size]), profile=profile)


def fitting(config: RunConfig, device: Device, share: float = DEFAULT_SHARE) -> Fit:
    found = fit(config, device, share)
    assert found is not None
    return found


def refused(found: Fit, host: Path, room: Bytes) -> bool:
    """Whether a node would not enrol in this way."""
    if room.host is not None:
        host.write_text(f"MemAvailable: {room.host // 1024} kB\n")
    try:
        require_room(found.config, found.way, room.card)
    except DoesNotFit:
        return True
    return False


@pytest.mark.parametrize(("size", "profile", "on_card"), CASES)
def test_plan_and_refusal_change_their_word_at_one_byte(size: str, profile: str, on_card: bool, host: Path) -> None:
    """With just enough the plan takes the run as it is, and the node enrols; with less neither does."""
    config = sized(size, profile)
    plain = Way(cards=1 if on_card else 0)
    need = needs(config, plain)
    assert need.host is not None
    enough = Bytes(-(-need.host // 1024) * 1024, need.card)
    found = fit(config, Device(CARD if on_card else None, enough, profile))
    assert found is not None
    assert (found.way, found.config) == (plain, config)
    assert not refused(found, host, enough)
    tight = [replace(enough, host=need.host // 1024 * 1024 - 1024)]
    tight += [replace(enough, card=need.card - 1)] if need.card is not None else []
    for less in tight:
        other = fit(config, Device(CARD if on_card else None, less, profile))
        assert other is None or other != found
        assert refused(found, host, less)
        assert other is None or not refused(other, host, less)


def test_what_the_plan_says_of_each_card_the_node_says(host: Path) -> None:
    host.write_text("")
    for card in CARDS:
        device = device_of_card(card, None)
        for name in SIZES:
            found = fit(sized(name, "exact"), device)
            ways = list(planning._ways(sized(name, "portable"), device))
            tried = ways if found is None else ways[: ways.index((found.config, found.way))]
            assert all(refused(Fit(*way, None), host, device.room) for way in tried)
            assert found is None or not refused(found, host, device.room)


def test_what_does_not_fit_is_told_with_the_least_it_takes() -> None:
    config, device = sized("1.1B", "exact"), device_of_card(CARD, None)
    row = document("1.1B", config, device, fit(config, device))
    assert not row["fits"]
    enough = fit(config, replace(device, room=Bytes(None, row["card_bytes"])))
    assert enough is not None
    assert fit(config, replace(device, room=Bytes(None, row["card_bytes"] - 1))) is None


def test_each_remedy_is_told_where_it_is_the_first() -> None:
    on_card = [fit(sized(name, "portable"), device_of_card(CARD, None)) for name in ("1M", "150M", "10B")]
    assert [found and found.words[:21] for found in on_card] == ["fits", "fits in a run of rank", None]
    middle, small = sized("150M", "exact"), sized("15M", "portable")
    recomputed = needs(middle, Way(recompute=True)).host
    assert fitting(middle, Device(None, Bytes(recomputed), "exact")).words == "fits with --recompute"
    offloaded = needs(small, Way(offload=True, cards=1)).card
    assert fitting(small, Device(CARD, Bytes(None, offloaded), "portable")).words == "fits with --offload"
    shared = needs(replace(small, ranks=4), Way(4, cards=4)).card
    four = fitting(small, Device(CARD, Bytes(None, shared), "portable", 4))
    assert (four.words, four.way.cards) == ("fits in a run of ranks 4 with --ranks 4", 4)


def test_cards_that_processes_share_hold_all_of_them() -> None:
    config = replace(sized("15M", "portable"), ranks=4)
    alone, both = (needs(config, Way(4, cards=cards)).card for cards in (4, 2))
    assert alone is not None
    assert both == 2 * alone
    assert needs(replace(config, profile="exact"), Way(4, cards=4)).card is None


def test_a_speed_follows_its_assumptions() -> None:
    config = sized("150M", "portable")
    slow, fast = (fitting(config, device_of_card(CARD, None), share).tokens for share in (0.2, 0.4))
    assert slow is not None
    assert fast is not None
    assert slow < fast < 2 * slow, "starting kernels takes its time whatever the card does"
    small = sized("1M", "exact")
    cpu = fitting(small, Device(None, Bytes(None), "exact", flops=1e10))
    assert cpu.tokens == 1e10 / token_flops(small)
    assert fitting(small, Device(None, Bytes(None), "exact")) == replace(cpu, tokens=None)


def test_operations_are_counted_as_in_palm() -> None:
    config = RunConfig(layers=2, d_model=8, heads=2, context=8, vocab=256, batch=8, micro_batch=2, ranks=2)
    weights = 256 * 8 + 8 * 8 + 8 + 2 * (8 + 3 * 64 + 64 + 8 + 2 * 8 * 32)
    assert token_flops(config) == 6 * weights + 12 * 2 * 8 * 8
    assert token_flops(config, recompute=True) == token_flops(config) * 8 / 6
    assert passes(config) == 2 * 2


def test_four_models_on_an_h100_are_met_within_a_sixth() -> None:
    """The row of docs/benchmarks.md from which the two terms come: milliseconds a step."""
    shapes = {
        11.5: (1, 64, 4, 32, 4),
        20.6: (2, 192, 6, 64, 8),
        63.0: (6, 384, 6, 256, 8),
        194.0: (12, 768, 12, 512, 8),
    }
    device = device_of_card(Card("H100", 80, 67.0, 989.5), None)
    for measured, (layers, width, heads, context, batch) in shapes.items():
        config = RunConfig(profile="portable", layers=layers, d_model=width, heads=heads, context=context, batch=batch)
        tokens = fitting(config, device, 0.5).tokens
        assert tokens is not None
        assert batch * context / tokens * 1e3 == pytest.approx(measured, rel=0.16)


def test_the_cards_are_those_of_the_market() -> None:
    for card in CARDS:
        assert card.memory in GPUS[card.name].memory_gb
        assert card.bf16 is None or card.bf16 > card.float32
    assert [card.memory for card in cards_named("NVIDIA A100")] == [40, 80]
    assert [card.title for card in cards_named("a100 40GB")] == ["A100 40 GB"]
    with pytest.raises(UnknownCard, match="B200"):
        cards_named("B200")


def test_the_command_says_a_row_for_each(commonweight: Command) -> None:
    said = commonweight("plan", "rtx 4090", "--size", "1M", "--size", "10B", "--json")
    rows = said.objects
    assert [(row["device"], row["size"], row["fits"]) for row in rows] == [
        ("4090 24 GB", "1M", True),
        ("4090 24 GB", "10B", False),
    ]
    assert rows[0] == {**document("1M", sized("1M", "exact"), *_planned("1M")), "mfu": DEFAULT_SHARE}
    told = commonweight("plan", "4090", "cpu", "--no-measure", "--memory", "1", "--size", "1M")
    assert [line.split()[:2] for line in told.out.splitlines()[1:3]] == [["4090", "24"], ["cpu,", "exact"]]
    assert "40% of the published float32 throughput" in told.out
    assert commonweight("plan", "B200").err.startswith("unknown-card: ")
    assert inspect.signature(plan).parameters["mfu"].default == DEFAULT_SHARE


def _planned(size: str) -> tuple[Device, Fit | None]:
    device = device_of_card(CARD, None)
    return device, fit(sized(size, "exact"), device)
