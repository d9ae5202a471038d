"""The weights of a run, taken home and written for other programs."""

from __future__ import annotations

from pathlib import Path

from commonweight.model.trusted import Trusted, told_waiting
from contracts.files.whole_file import replace_file
from contracts.ids import RunId
from contracts.protocol.run_config import RunConfig
from contracts.wire.runs import Run
from trainer.data.index import TOKENIZER
from trainer.data.tokenizer_file import tokenizer_of
from trainer.model.hugging_face import export, require_form
from trainer.model.own.files import export_own
from verifier.weights.merged import MergedWeights, merged_weights


def export_run(
    source: Trusted, run: RunId, out: Path, number: int | None, seconds: float, corpus: str = ""
) -> MergedWeights:
    """Write the weights after a round, by default the newest merged one that the server shows: for Hugging Face's
    library those of a llama, under its own names those of one's own model.

    The tokenizer of the `corpus` (a folder or an address) comes beside them, if one is given and has one.
    Raises NotAModel, DiskFull, CorpusUnreachable, WrongCorpus, and what taking them home raises.
    """
    shown = source.client.read(Run, f"/runs/{run}")
    is_own = RunConfig.from_json(shown.config).architecture == "own"
    if not is_own:
        require_form(RunConfig.from_json(shown.config))  # before anything is waited for; a run keeps its architecture
    weights = merged_weights(source.client, source.deployment, source.quorum, run, number, seconds, told_waiting())
    tokenizer = tokenizer_of(corpus, weights.config.corpus_digest) if corpus else None
    (export_own if is_own else export)(weights.config, weights.theta, out)
    if tokenizer is not None:
        replace_file(out / TOKENIZER, tokenizer)
    return weights
