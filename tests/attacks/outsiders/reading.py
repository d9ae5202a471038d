"""Reading a world's log as somebody outside would, with some entries changed or left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.world import World
from verifier.audit import LogAudit
from verifier.chain_authority import authority_of

Entry = dict[str, Any]
Change = Callable[[Entry], Entry | None]


def audited(world: World, change: Change = lambda entry: entry) -> LogAudit:
    """The audit after the whole log. Raises AuditFailed."""
    audit = LogAudit(authority_of(world.place.w3, world.place.deployment))
    for index, entry in enumerate(filter(None, map(change, world.log()))):
        audit.take(index, json.dumps(entry))
    return audit
