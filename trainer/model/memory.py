"""The memory that an inner round takes, and whether a machine has it. Known without torch.

On a CPU, measured at 1 M, 15 M and 150 M parameters: about 50 bytes a parameter, and for each token of a step what the
backward pass keeps. The formula lies up to a quarter above. All processes of a node count, since they are on one
machine.

A portable step keeps more: probabilities of attention, and, until the whole batch has passed, both factors of each
weight's gradient (trainer/portable/waiting.py), so that a micro-batch saves less of it. At the end the factors of the
output layer are cut into whole numbers, those of the whole batch at once.

On a card only portable steps are computed, and the rest of the round stays with the host. Whole numbers are float32
there. `python -m benchmarks.step_memory` measures the same step on a CPU: no card was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CommonweightError
from contracts.protocol.architecture import parameter_count
from contracts.protocol.run_config import RunConfig

_A_PARAMETER = 52
"""Weights, two moments and gradient, the round's start, the gradient that is sent, and temporaries of AdamW."""
_A_SUM = 4
"""The gradient that micro-batches or blocks are added up in."""
_OF_OWNED = 24
"""Of a parameter with its owner: two moments, the sum, a block that is received, and temporaries of AdamW."""
_OF_LOGITS, _OF_WIDTH, _OF_MLP = 4, 20, 4
"""float32 numbers that are kept of a token, by vocabulary, width and inner width of each layer."""
_OF_BYTES = 2
"""Of a portable step: each weight as a byte, for both directions."""
_WAIT_WIDTH, _WAIT_MLP = 10, 3
"""float32 numbers of a token that wait in each layer, by width and inner width."""
_KEPT_WIDTH, _KEPT_MLP, _OF_ATTENTION = 3, 2, 4
"""What is kept beside them while a micro-batch passes; the last one by heads times context."""
_OF_LAST_PRODUCT = 5
"""By vocabulary, at the end."""
_STEP = 16
"""Of a parameter, by which the host's part of `_A_PARAMETER` is smaller with a card: weights, moments and gradient."""
_MOMENTS = 8
_CARD_PASSING = 8
"""Of a portable step on a card: each weight as float32 whole numbers for both directions, and later, when these are
gone, as much for temporaries of AdamW."""
_MEMORY = Path("/proc/meminfo")


class DoesNotFit(CommonweightError):
    """The run's model takes more memory than this machine has."""

    code = "does-not-fit"


@dataclass(frozen=True)
class Way:
    """How a node computes a round: in `processes`, which share its `cards` or are on the CPU (0 cards), with
    activations computed twice (`recompute`), or with moments in the host's memory (`offload`)."""

    processes: int = 1
    recompute: bool = False
    offload: bool = False
    cards: int = 0


@dataclass(frozen=True)
class Bytes:
    """Of the host, and of the fullest card; None for a room that nobody knows."""

    host: int | None
    card: int | None = None


def needs(config: RunConfig, way: Way) -> Bytes:
    """Memory of an inner round, in bytes. A run that is not portable is computed on the CPU whatever cards there are:
    then its card is None."""
    if not way.cards or config.profile != "portable":
        return Bytes(needed_bytes(config, way.processes, way.recompute))
    count = parameter_count(config)
    host = _A_PARAMETER - _STEP + (_MOMENTS if way.offload else 0)
    together = -(-way.processes // way.cards)
    return Bytes(host * count, together * (_on_card(config, way) * count + _portable_activations(config)))


def _on_card(config: RunConfig, way: Way) -> int:
    """Bytes of a parameter on the card of one process."""
    moments = 0 if way.offload else _MOMENTS // way.processes
    if way.processes > 1:
        return _of_further(config, way.processes) - _MOMENTS // way.processes + moments + _CARD_PASSING
    return 4 + 4 + (_A_SUM if config.ranks > 1 else 0) + moments + _CARD_PASSING


def lack(config: RunConfig, way: Way, room: Bytes) -> str:
    """What a room has too little of, in a sentence without its remedy; nothing where it suffices, or is not known."""
    need = needs(config, way)
    for part, needed, available in (("memory", need.host, room.host), ("a GPU's memory", need.card, room.card)):
        if needed is not None and available is not None and needed > available:
            at_once = f"{way.processes} x {config.micro_batch or config.block} x {config.context} tokens at once"
            return (
                f"the run's model of {parameter_count(config) / 1e6:,.1f} M parameters, with {at_once}, takes about "
                f"{needed / 1e9:,.1f} GB of {part}, and this machine has {available / 1e9:,.1f} GB free"
            )
    return ""


def needed_bytes(config: RunConfig, processes: int = 1, recompute: bool = False) -> int:
    """Of an inner round on a CPU, in bytes, in so many processes; with `recompute` only the inputs of blocks are kept,
    but in a portable step."""
    is_portable = config.profile == "portable"
    kept = _portable_activations(config) if is_portable else _activations(config, recompute)
    of_bytes = _OF_BYTES if is_portable else 0
    has_sum = config.ranks > 1 or (config.micro_batch and not is_portable)
    own = _A_PARAMETER + of_bytes + (_A_SUM if has_sum else 0)
    further = (processes - 1) * (_of_further(config, processes) + of_bytes)
    return (own + further) * parameter_count(config) + processes * kept


def _of_further(config: RunConfig, processes: int) -> int:
    """Of a parameter in a process beside the node's own: weights, a gradient for each of its blocks, what it owns."""
    return 4 + 4 * (config.ranks // processes) + _OF_OWNED // processes


def _activations(config: RunConfig, recompute: bool) -> int:
    """Bytes that one process keeps of the tokens that pass at once."""
    inside = _OF_WIDTH * config.d_model + _OF_MLP * config.mlp_size
    of_layers = config.layers * config.d_model + inside if recompute else config.layers * inside
    return 4 * _at_once(config) * (_OF_LOGITS * config.vocab + of_layers)


def _portable_activations(config: RunConfig) -> int:
    """The same of a portable step, and what waits until its block has passed."""
    tokens = config.block * config.context
    waiting = config.vocab + config.layers * (_WAIT_WIDTH * config.d_model + _WAIT_MLP * config.mlp_size)
    of_attention = (config.layers + _OF_ATTENTION) * config.heads * config.context
    of_layers = config.layers * (_KEPT_WIDTH * config.d_model + _KEPT_MLP * config.mlp_size)
    passing = _at_once(config) * (_OF_LOGITS * config.vocab + of_attention + of_layers)
    ending = tokens * _OF_LAST_PRODUCT * config.vocab
    return 4 * (tokens * waiting + max(passing, ending))


def _at_once(config: RunConfig) -> int:
    return (config.micro_batch or config.block) * config.context


def require_room(config: RunConfig, way: Way, card: int | None = None) -> None:
    """That this machine has room for the run, its fullest card `card` bytes. Raises DoesNotFit, and nothing where the
    system does not say."""
    if sentence := lack(config, way, Bytes(available_bytes(), card)):
        raise DoesNotFit(f"{sentence}: free some, or join a smaller run")


def available_bytes() -> int | None:
    """Memory that can be had without swapping, as Linux says; None elsewhere."""
    try:
        lines = _MEMORY.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if found is None else int(found) * 1024
