"""Code and data in the log: each once in the model, under a quorum of who were maintainers then, paid by its run's next
epoch."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from contracts.contribution import CONTRIBUTIONS, check_quorum, check_weight, kind_of, subject_of
from contracts.log_audit import Kind
from contracts.messages import from_json
from contracts.run_config import RunConfig
from contracts.signing import Domain, require_signer


class ContributionRefused(Exception):
    """It was credited again, or belongs to another model."""


class ContributionAudit:
    """What was credited and not yet paid, by run."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._seen: set[str] = set()
        self._open: dict[str, dict[Kind, dict[str, int]]] = defaultdict(dict)

    def take(self, entry: dict[str, Any], config: RunConfig, model: bytes) -> None:
        """Read one entry. Raises CommonweightError and ContributionRefused."""
        message = from_json(CONTRIBUTIONS[entry["contribution"]], entry["message"])
        if message.model != model:
            raise ContributionRefused("a contribution to another model was credited")
        check_weight(message)
        check_quorum(config, frozenset(entry["signatures"]))
        for signer, signature in entry["signatures"].items():
            require_signer(message, self._domain, bytes.fromhex(signature[2:]), signer)
        if subject_of(message) in self._seen:
            raise ContributionRefused("a contribution was credited twice")
        self._seen.add(subject_of(message))
        given = self._open[entry["run"]].setdefault(kind_of(message), {})
        given[message.author.lower()] = given.get(message.author.lower(), 0) + message.weight

    def pay(self, run: str) -> dict[Kind, dict[str, int]]:
        """What the epoch that closes now pays, by kind and lower-case account; it is paid once."""
        return self._open.pop(run, {})
