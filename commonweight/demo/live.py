"""The moving board of the demo: at a terminal the phase and one bar a node, in a pipe nothing at all.

The plain lines of the narrator scroll by above; the board stays below them and is gone when the demo ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from contracts.ids import Address, as_address
from contracts.protocol.run_config import RunConfig
from contracts.wire.rounds import ProofLine, Round, RoundNode
from contracts.wire.states import ProofStage, ProofState

REFRESH_A_SECOND = 4


@dataclass(frozen=True)
class Bar:
    """A node in a round: inner steps done of all, and the state of its proof."""

    name: str
    step: int
    steps: int
    note: str


class DemoBoard:
    """The moving part of the terminal. Use as a context: leaving it wipes it off."""

    def __init__(self, console: Console, wanted: bool = True) -> None:
        self.moves = wanted and console.is_terminal
        self._phase = Progress(SpinnerColumn(), TextColumn("[bold]{task.description}"), TimeElapsedColumn())
        self._nodes = Progress(
            TextColumn("  {task.description:<6}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bars: dict[str, TaskID] = {}
        self._busy = self._phase.add_task("starting", total=None)
        self._live = Live(
            Group(self._phase, self._nodes), console=console, transient=True, refresh_per_second=REFRESH_A_SECOND
        )

    def __enter__(self) -> DemoBoard:
        if self.moves:
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_error: object) -> None:
        if self.moves:
            self._live.stop()

    def busy(self, description: str) -> None:
        """Show what the demo waits for; the clock beside it starts anew with each phase."""
        if self._phase.tasks[0].description != description:
            self._phase.reset(self._busy, description=description, total=None)

    def show(self, bars: list[Bar]) -> None:
        """The current round's nodes; those of another round go."""
        for name in set(self._bars) - {bar.name for bar in bars}:
            self._nodes.remove_task(self._bars.pop(name))
        for bar in bars:
            if bar.name not in self._bars:
                self._bars[bar.name] = self._nodes.add_task(bar.name, note="")
            self._nodes.update(self._bars[bar.name], completed=bar.step, total=bar.steps, note=bar.note)


def bars(view: Round, name_of: Callable[[Address], str], steps_of: Callable[[str], int]) -> list[Bar]:
    """The bars of a round as the API shows it; `steps_of` gives the inner steps that a node of that name has done."""
    steps = RunConfig.from_json(view.config).steps
    proofs = {proof.node: proof for proof in view.proofs}
    names = {node.node: name_of(as_address(node.node)) for node in view.nodes}
    return [
        Bar(
            names[node.node],
            steps if node.node in proofs else min(steps_of(names[node.node]), steps),
            steps,
            _note(node, proofs),
        )
        for node in view.nodes
    ]


def _note(node: RoundNode, proofs: Mapping[str, ProofLine]) -> str:
    proof = proofs.get(node.node)
    if proof is None:
        return "[yellow]fell silent" if node.lapsed else "trains"
    if proof.state == ProofState.POSTED:
        return "[green]verified"
    if proof.state == ProofState.VOIDED:
        return f"[red]voided: {proof.reason}"
    return "before the full bench" if proof.stage == ProofStage.BENCH else str(proof.stage)
