"""The report of an audit: claims that hold, findings, and claims that were not checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from contracts.errors import CommonweightError

MOST_SHOWN = 300
"""Characters of an entry that a line for people shows."""


class AuditFailed(CommonweightError):
    """The log, or the chain's view of it, does not hold."""

    code = "audit-failed"


@dataclass(frozen=True)
class LogFinding:
    """A claim that does not hold. `kind` is entry, block, epoch, two-logs or history; `index` is the entry's, `due` the
    entry that should have stood there (canonical text), `evidence` the proof that convicts by itself."""

    kind: str
    what: str
    index: int | None = None
    due: str = ""
    evidence: dict[str, object] | None = None

    def line(self) -> str:
        """The finding for people."""
        prefix = "" if self.index is None else f"entry {self.index}: "
        due = f"; due was {self.due[:MOST_SHOWN]}{'…' if len(self.due) > MOST_SHOWN else ''}" if self.due else ""
        return f"{prefix}{self.what}{due}"


@dataclass
class Report:
    """Lines for people, findings for scripts too."""

    holds: list[str] = field(default_factory=list)
    findings: list[LogFinding] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def body(self) -> dict[str, object]:
        """The report as JSON."""
        return asdict(self)

    def require(self) -> None:
        """Raises AuditFailed where there is a finding."""
        if self.findings:
            more = f"; and {len(self.findings) - 1} more" if len(self.findings) > 1 else ""
            raise AuditFailed(f"{self.findings[0].line()}{more}")
