"""The node's side of an appeal: name states in the middle, open the last agreed one, until it is decided."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from contracts.messages import BisectionMove, StepOpening
from contracts.run_config import RunConfig
from contracts.tensorfile import pack, unpack
from trainer.batches import batch_source
from trainer.bisect import state_after, state_name
from trainer.client import ApiClient, deadline, octets
from trainer.corpus import Corpus
from trainer.state import Tensors, layout

NEWS_SECONDS = 2.0
Report = Callable[[str], None]


class Defence:
    """One appeal of this key's node; nothing but the public openings and the run's data is needed."""

    def __init__(self, client: ApiClient, proof: str, corpus: Corpus) -> None:
        self._client, self._proof, self._corpus = client, proof, corpus
        self._view: dict[str, Any] = client.get(f"/proofs/{proof}")
        current = client.get(f"/runs/{self._view['run']}/rounds/{self._view['round']}")
        self._config, self._round = RunConfig.from_json(current["config"]), current

    def play(self, stop: threading.Event, report: Report) -> str:
        """Answer until the appeal is upheld or dismissed; returns which. Raises ApiProblem."""
        seen, appeal = -1, self._client.get(f"/appeals/{self._proof}")
        while appeal["state"] not in ("upheld", "dismissed") and not stop.is_set():
            self.answer(appeal, report)
            seen = self._client.news(seen, NEWS_SECONDS)
            appeal = self._client.get(f"/appeals/{self._proof}")
        return str(appeal["state"])

    def answer(self, appeal: dict[str, Any], report: Report) -> None:
        """Make the move that is due, if one is."""
        if appeal["state"] == "opening":
            self._open(appeal, report)
        elif appeal["state"] == "bisecting" and not _has_moved(appeal, self._client.address):
            state = state_name(self._state(appeal, appeal["middle"]))
            message = BisectionMove(octets(self._proof), self._client.address, appeal["middle"], state, deadline())
            self._client.send("/appeals/moves", message)
            report(f"named the state after step {appeal['middle']}")

    def _open(self, appeal: dict[str, Any], report: Report) -> None:
        state = self._state(appeal, appeal["agreed"])
        blob = self._client.put_blob(self._view["run"], pack(state))
        message = StepOpening(octets(self._proof), appeal["agreed"], state_name(state), bytes.fromhex(blob), deadline())
        self._client.send("/appeals/states", message)
        report(f"opened the state after step {appeal['agreed']}; step {appeal['disputed']} is left")

    def _state(self, appeal: dict[str, Any], step: int) -> Tensors:
        first = appeal["segment"] * self._config.segment
        opened = self._view["openings"][str(appeal["segment"])]["blob"]
        start = unpack(self._client.blob(opened), layout(self._config))
        batches = batch_source(
            self._corpus.train, self._config, octets(self._round["data_seed"]), self._view["round"], self._view["node"]
        )
        return state_after(self._config, start, first, step, batches)


def _has_moved(appeal: dict[str, Any], party: str) -> bool:
    return any(m["step"] == appeal["middle"] and m["party"] == party for m in appeal["moves"])
