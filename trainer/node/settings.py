"""Settings of a node, from the environment (COMMONWEIGHT_NODE_...) or the command line, and its progress reports."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic_settings import SettingsConfigDict

from contracts.chain.deployment_setting import DeploymentSetting
from contracts.ids import Address, RunId
from contracts.process.settings import (
    Count,
    FilePath,
    Key,
    Paths,
    Ppm,
    ProcessSettings,
    Seconds,
    Texts,
    Url,
    UrlOrNothing,
)
from trainer.data.place import DEFAULT_LIMIT, CorpusSettings
from trainer.genesis.place import WeightsPlace


class NodeSettings(ProcessSettings):
    """All settings of a node. `deployment` names the contracts, the log's key and the first mirrors; `rpc_url` is
    a chain node with the verifier set, or empty: then the log is believed.

    `cheat` names one of trainer.cheats, for tests and the demo; `canary_ppm` is the share of rounds, in parts per
    million, in which it keeps verifiers honest instead of being paid (trainer/canary.py). `look_seconds` lie between
    two looks at the log. `data` are plain texts, `corpus` is the folder or address of an index, and `corpus_mirrors`
    have the same files; of shards from elsewhere `corpus_limit` bytes are kept; `weights` is where the file of the
    run's first weights lies.
    `give_up_after` are the seconds after which a node ends to which neither the server nor any mirror answers; with 0
    it waits for ever. `unjudged` enrols also where no verifier computes as this machine does. `numerics` is the
    arithmetic to compute in, exact or portable; empty: of several the first that enough verifiers read. A round is
    computed in `ranks` processes; with `recompute` what is inside a model's blocks is computed twice, and not kept;
    with `offload` the optimizer's moments are in the host's memory between steps.
    """

    model_config = SettingsConfigDict(env_prefix="COMMONWEIGHT_NODE_")

    api_url: Url
    deployment: DeploymentSetting
    run: RunId
    key: Key
    payout: Address
    folder: FilePath
    rpc_url: UrlOrNothing = ""
    data: Paths = ()
    corpus: str = ""
    corpus_mirrors: Texts = ()
    corpus_limit: Count = DEFAULT_LIMIT
    weights: str = ""
    from_round: Count = 1
    cheat: str | None = None
    canary_ppm: Ppm = 0
    look_seconds: Seconds = 1.0
    give_up_after: Seconds = 0.0
    unjudged: bool = False
    numerics: str = ""
    ranks: Count = 1
    recompute: bool = False
    offload: bool = False

    def text(self) -> CorpusSettings:
        """Where this node has its text."""
        return CorpusSettings(
            self.data, self.corpus, self.folder / "corpus", self.corpus_limit, self.loopback(), self.corpus_mirrors
        )

    def first_weights(self) -> WeightsPlace:
        """Where the run's first weights are, if they are another model's."""
        return WeightsPlace(self.weights, self.folder / "weights", self.loopback())

    def loopback(self) -> bool:
        """Whether mirrors may be on this machine: where the server or the deployment's first mirrors are."""
        return any(_is_loopback(url) for url in (self.api_url, *self.deployment.first_mirrors().values()))


@dataclass(frozen=True)
class NodeProgress:
    """A progress report of a node. `step` counts from 1 in its round, `steps` over all
    rounds of the run."""

    event: str
    round: int
    step: int = 0
    loss: float | None = None
    detail: str = ""
    steps: int | None = None


Report = Callable[[NodeProgress], None]


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
