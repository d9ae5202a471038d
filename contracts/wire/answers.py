"""The one rule for every answer over HTTP: it is ours, or it is weather.

Only a problem document (RFC 9457) with one of our codes and a status that blames the request is a refusal. Everything
else that is not what was asked for comes of something in between, or of a server in trouble, and passes: a gateway's
page, a cut body, a redirect to a login, a 5xx with whatever code. All requests are idempotent, so all may be repeated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PROBLEM_TYPE = "application/problem+json"
LONGEST_DETAIL = 2_000
"""Characters of a problem's detail that are read."""
SLOW_PEER = 408
"""The request came too slowly: the same one may come in time. The only status below 500 that blames the weather."""

CODES = frozenset(
    {
        "already-committed",
        "already-said",
        "bad-field",
        "bad-log-signature",
        "bad-signature",
        "below-relay-threshold",
        "binding-mismatch",
        "blob-mismatch",
        "blob-too-large",
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
"""All codes of refusals by server and mirrors, below 500 (docs/errors.md)."""


@dataclass(frozen=True)
class Problem:
    """A problem document of ours."""

    code: str
    detail: str


def problem_in(media_type: str, body: bytes) -> Problem | None:
    """The problem document that a body is, whatever its code; None for anything else."""
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
    """Our refusal, or None: then an answer that is not what was asked for is weather."""
    problem = problem_in(media_type, body) if 400 <= status < 500 and status != SLOW_PEER else None
    return problem if problem is not None and problem.code in CODES else None


def is_done(status: int, body: bytes) -> bool:
    """Whether this answers a POST or PUT of ours as done: all of them are answered by a JSON object."""
    if not 200 <= status < 300:
        return False
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which has seconds or a date (RFC 9110, 10.2.3); None without a readable one."""
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
