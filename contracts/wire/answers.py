"""The one rule for every HTTP answer that is not the expected one: a refusal, or a transient failure ("weather").

A refusal is a problem document (RFC 9457) with a known code and a status that blames the request. Every other
unexpected answer is transient, since a gateway or a server in trouble gave it: an error page, a cut body, a redirect to
a login, any 5xx. All requests are idempotent, so a client may repeat each of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PROBLEM_TYPE = "application/problem+json"
LONGEST_DETAIL = 2_000
"""Longest detail of a problem document that is read, in characters."""
SLOW_PEER = 408
"""Status of a request that arrived too slowly. It is the only status below 500 after which a repeat makes sense."""

CODES = frozenset(
    {
        "already-committed",
        "already-said",
        "bad-field",
        "bad-host-message",
        "bad-log-signature",
        "bad-signature",
        "below-relay-threshold",
        "binding-mismatch",
        "blob-mismatch",
        "blob-too-large",
        "board-full",
        "body-too-large",
        "cap-full",
        "checkpoint-refused",
        "commonweight-error",
        "contract-account",
        "contract-rejected",
        "entry-too-large",
        "fact-refused",
        "foreign-root",
        "foreign-ticket",
        "fsck-failed",
        "genesis-refused",
        "head-contradicts",
        "host-message-old",
        "host-refused",
        "host-unknown",
        "http-error",
        "invalid-audit-policy",
        "invalid-checkpoint",
        "invalid-leaf",
        "invalid-limits",
        "invalid-log-key",
        "invalid-log-proof",
        "invalid-maintainers",
        "invalid-merkle-proof",
        "invalid-message",
        "invalid-mirror-address",
        "invalid-mirror-message",
        "invalid-mixture",
        "invalid-note",
        "invalid-own-model",
        "invalid-payout",
        "invalid-policy",
        "invalid-run-config",
        "invalid-snapshot",
        "invalid-tensor-file",
        "invalid-ticket",
        "invalid-tile",
        "journal-conflict",
        "lease-lost",
        "ledger-error",
        "length-required",
        "log-differs",
        "malformed-request",
        "method-not-allowed",
        "mirror-refused",
        "missing-setting",
        "no-votes",
        "not-a-verifier",
        "not-announced",
        "not-asked",
        "not-awaited",
        "not-bound",
        "not-dead",
        "not-embedded",
        "not-for-the-log",
        "not-found",
        "not-maintainer",
        "not-theirs",
        "not-verifier",
        "not-welcome",
        "note-not-signed",
        "out-of-time",
        "pair-refused",
        "policy-not-met",
        "quota-spent",
        "range-refused",
        "receipt-malformed",
        "relay-budget-spent",
        "root-mismatch",
        "run-over",
        "size-conflict",
        "ticket-over",
        "too-early",
        "unknown-log",
        "unknown-parameter",
        "unknown-subject",
        "upload-conflict",
        "vote-closed",
    }
)
"""Codes of all refusals by servers and mirrors with a status below 500 (docs/errors.md)."""


@dataclass(frozen=True)
class Problem:
    """Code and detail of a problem document."""

    code: str
    detail: str


def problem_in(media_type: str, body: bytes) -> Problem | None:
    """The problem document in a body, whatever its code; None if the body has none."""
    if media_type.partition(";")[0].strip().lower() != PROBLEM_TYPE:
        return None
    try:
        document = json.loads(body)
        code = document["code"]
        detail = document.get("detail", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    is_problem = isinstance(code, str) and isinstance(detail, str)
    return Problem(code[:64], detail[:LONGEST_DETAIL]) if is_problem else None


def refusal_in(status: int, media_type: str, body: bytes) -> Problem | None:
    """The refusal in an answer; None for a transient failure."""
    problem = problem_in(media_type, body) if 400 <= status < 500 and status != SLOW_PEER else None
    return problem if problem is not None and problem.code in CODES else None


def is_done(status: int, body: bytes) -> bool:
    """Whether the answer to a POST or PUT says that it is done: a 2xx status with a JSON object."""
    if not 200 <= status < 300:
        return False
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which has seconds or a date (RFC 9110, 10.2.3); None if it is unreadable."""
    if value is None:
        return None
    if value.strip().isdecimal() and value.isascii():
        return float(value.strip()[:9])
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year, or an offset, of twenty digits
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
