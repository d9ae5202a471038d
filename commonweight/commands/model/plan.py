"""`commonweight plan`: which named sizes fit a card or this machine, and about how fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commonweight.terminal.console import console, tell
from contracts.protocol.sizes import SIZES, fields_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from commonweight.market.planning import Device

CPU = "cpu"


def plan(
    cards: Annotated[
        list[str] | None,
        typer.Argument(help="A card, such as 4090 or A100, or cpu for this machine. Default: all."),
    ] = None,
    size: Annotated[list[str] | None, typer.Option(help=f"A named size: {', '.join(SIZES)}. Default: all.")] = None,
    profile: Annotated[
        str, typer.Option(help="Profile of the run on cpu: exact or portable. A card computes portable runs only.")
    ] = "exact",
    ranks: Annotated[
        int, typer.Option(min=1, max=1024, help="Number of processes of the node, each with a card or core of its own.")
    ] = 1,
    memory: Annotated[
        float | None,
        typer.Option(min=0, help="Memory of the host in GB. Default: for cpu what is free here, else not looked at."),
    ] = None,
    mfu: Annotated[
        float, typer.Option(min=0.01, max=1, help="Assumed share of a card's published float32 throughput.")
    ] = 0.4,
    no_measure: Annotated[
        bool, typer.Option("--no-measure", help="Do not time steps on this CPU; its speed is then not estimated.")
    ] = False,
) -> None:
    """Plan a node: for each card and named size, whether a round fits, by which options, and an estimate of its speed.

    The memory is what a node asks for before it enrols. The speed is an estimate, whose assumptions are printed.
    """
    from commonweight.market.planning import document, fit
    from contracts.protocol.run_config import RunConfig

    host = None if memory is None else round(memory * 1e9)
    devices = list(_devices(cards or [], profile, host, ranks, not no_measure))
    sizes = {name: RunConfig(**fields_of(name)) for name in size or SIZES}
    rows = [
        document(name, config, device, fit(config, device, mfu)) for device in devices for name, config in sizes.items()
    ]
    tell([{**row, "mfu": mfu} for row in rows], _lines(rows, mfu, devices))


def _devices(named: list[str], profile: str, host: int | None, ranks: int, measure: bool) -> Iterator[Device]:
    from commonweight.market.cards import CARDS, cards_named
    from commonweight.market.planning import Device, device_of_card
    from trainer.model.memory import Bytes, available_bytes

    of_names = [card for text in named if text.lower() != CPU for card in cards_named(text)]
    yield from (device_of_card(card, host, ranks) for card in (of_names if named else CARDS))
    if not named or CPU in map(str.lower, named):
        if profile not in ("exact", "portable"):
            raise typer.BadParameter("is exact or portable", param_hint="--profile")
        room = Bytes(available_bytes() if host is None else host)
        yield Device(None, room, profile, ranks, _measured(profile) if measure else None)


def _measured(profile: str) -> float | None:
    """None on a machine without torch: the rest of the plan needs none."""
    try:
        from trainer.steps.speed import measured_flops
    except ModuleNotFoundError:
        return None
    return measured_flops(profile)


def _lines(rows: list[dict[str, Any]], mfu: float, devices: list[Device]) -> Iterator[RenderableType]:
    yield _table(rows)
    if any(device.card for device in devices):
        yield (
            f"Speed on a card: {mfu:.0%} of the published float32 throughput (--mfu), and 10.5 ms for each layer and "
            "pass; measured on an H100 only. A card counts 10^9 bytes a GB, and has no other work."
        )
        yield "In a run of ranks N: the run's creator sets the field `ranks` to N, and so a batch waits in N parts."
    if not all(row["fits"] for row in rows):
        yield "Where nothing fits, the memory is that of the way which takes least."
    for device in devices:
        if device.flops is not None:
            yield (
                f"Speed on this CPU: {device.flops / 1e9:,.1f} GFLOP/s, as steps of a small model measured just now; "
                "larger ones are assumed to be as fast."
            )


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    fancy = console.is_terminal
    table = Table(box=box.ROUNDED if fancy else None, pad_edge=fancy)
    for name in ("device", "size"):
        table.add_column(name, no_wrap=True)
    table.add_column("a round")
    for name in ("card GB", "host GB", "tokens/s"):
        table.add_column(name, justify="right", no_wrap=True)
    before = ""
    for row in rows:
        device = row["device"] if row["device"] != before else ""
        before = row["device"]
        memory = [_gigabytes(row[name]) for name in ("card_bytes", "host_bytes")]
        table.add_row(device, row["size"], row["words"], *memory, _tokens(row["tokens_per_second"]))
    return table


def _gigabytes(count: int | None) -> str:
    return "" if count is None else f"{count / 1e9:,.1f}"


def _tokens(count: int | None) -> str:
    """Two figures that count: it is an estimate."""
    return "" if count is None else f"{float(f'{count:.2g}'):,.0f}"
