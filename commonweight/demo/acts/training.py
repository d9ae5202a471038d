"""Second act: rounds of training together, a cheat caught, a joiner, and a node killed in the middle."""

from __future__ import annotations

from commonweight.demo.cast import KILLED
from commonweight.demo.live import bars
from commonweight.demo.stage import KILL_ROUND, KILL_STEP, ROUNDS, DemoStage
from contracts.ids import as_address
from contracts.wire.rounds import ProofLine, Round, RoundNode
from contracts.wire.runs import Run
from contracts.wire.states import ProofStage, ProofState, RoundPhase


def train_together(stage: DemoStage) -> None:
    """Watch until the rounds of the first epoch are merged."""
    stage.wait(f"{ROUNDS} rounds of training", lambda: watch(stage) >= ROUNDS, seconds=1200)


def watch(stage: DemoStage) -> int:
    """Tell the news of the run; returns the last merged round, 0 before the first."""
    state = stage.client.read(Run, f"/runs/{stage.run}")
    if state.round == 0:
        return 0
    for number in range(max(1, state.round - 1), state.round + 1):
        current = stage.round(number)
        _tell(stage, current)
        _kill_when_due(stage, current)
    stage.board.busy(f"round {current.round}: {current.phase}")
    stage.board.show(bars(current, stage.cast.name_of, lambda name: stage.steps(name, current.round)))
    return int(state.round if current.phase == RoundPhase.CLOSED else state.round - 1)


def _kill_when_due(stage: DemoStage, current: Round) -> None:
    if current.round != KILL_ROUND or not stage.processes.alive(KILLED):
        return
    step = stage.steps(KILLED, KILL_ROUND)
    if step >= KILL_STEP:
        stage.processes.kill(KILLED)
        stage.say(KILLED, f"killed with SIGKILL at step {step} of round {KILL_ROUND}")


def _tell(stage: DemoStage, current: Round) -> None:
    topic = f"round {current.round}"
    names = [stage.cast.name_of(as_address(n.node)) for n in current.nodes]
    stage.once(topic, f"opens with {', '.join(names)}; configuration {current.config_digest[:12]}…")
    for node in current.nodes:
        _tell_node(stage, topic, node)
    for proof in current.proofs:
        _tell_proof(stage, topic, proof)
    if current.merge:
        losses = sorted(current.merge.held_out_loss.values())
        stage.once(topic, f"merged; held-out loss {losses[len(losses) // 2] / 1e9:.4f} nats a byte")


def _tell_node(stage: DemoStage, topic: str, node: RoundNode) -> None:
    name = stage.cast.name_of(as_address(node.node))
    step = stage.steps(name, int(topic.removeprefix("round "))) // 10 * 10
    if node.lapsed:
        stage.once(topic, f"{name} fell silent; the round goes on without it")
    elif step and not stage.board.moves:  # a bar says it better
        stage.once(topic, f"{name} at step {step} and beyond")


def _tell_proof(stage: DemoStage, topic: str, proof: ProofLine) -> None:
    name = stage.cast.name_of(as_address(proof.node))
    stage.once(topic, f"{name} committed {proof.proof[:12]}…")
    if proof.stage == ProofStage.BENCH:
        stage.once(topic, f"{name} is disputed; the full bench replays the segment")
    if proof.state == ProofState.POSTED:
        stage.once(topic, f"{name} verified: {proof.work:,} tokens of work posted")
    if proof.state == ProofState.VOIDED:
        measured = int(proof.measured) / 1e18
        limit = int(proof.limit) / 1e18
        stage.once(topic, f"{name} VOIDED: {proof.reason}, error {measured:.3g}, limit {limit:.3g}")
