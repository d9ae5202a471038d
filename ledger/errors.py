"""What the ledger refuses, each with its code and HTTP status. All derive from LedgerError."""

from __future__ import annotations

from contracts.errors import CommonweightError


class LedgerError(CommonweightError):
    """Root of the ledger's refusals; whoever raises one has changed nothing."""

    code = "ledger-error"
    status = 409


class NotFound(LedgerError):
    """No run, round, proof, blob, epoch or proposal of that name."""

    code = "not-found"
    status = 404


class MessageExpired(LedgerError):
    """The deadline has passed, or lies more than a day ahead (ten years for what is brought to the chain)."""

    code = "message-expired"
    status = 422


class MessageReused(LedgerError):
    """The nonce was used by another message of the same signer."""

    code = "message-reused"


class NotEnrolled(LedgerError):
    """The node does not take part in this round."""

    code = "not-enrolled"
    status = 403


class NotVerifier(LedgerError):
    """The signer is not an admitted, anchored verifier."""

    code = "not-verifier"
    status = 403


class RoundClosed(LedgerError):
    """The round does not take this message any more."""

    code = "round-closed"


class AlreadyDecided(LedgerError):
    """Another message of the same signer stands in this place."""

    code = "already-committed"


class BindingMismatch(LedgerError):
    """A proof is bound to other public inputs than the round's."""

    code = "binding-mismatch"
    status = 422


class OpeningMismatch(LedgerError):
    """The opened bytes do not hash to the commitment."""

    code = "opening-mismatch"
    status = 422


class BlobMismatch(LedgerError):
    """The bytes do not have the digest or size that was announced."""

    code = "blob-mismatch"
    status = 422


class BlobTooLarge(LedgerError):
    """The blob is above the size limit."""

    code = "blob-too-large"
    status = 413


class NoVotes(LedgerError):
    """Who proposes or votes holds nothing, or held nothing when it counted."""

    code = "no-votes"
    status = 403


class TooEarly(LedgerError):
    """The beacon, epoch or vote that this needs does not exist yet."""

    code = "too-early"
    status = 425


class LedgerBusy(LedgerError):
    """The wait for the writers' turn was too long: of anyone, or of a proof whose beacon might have become known."""

    code = "ledger-busy"
    status = 503


class JournalConflict(LedgerError):
    """A transfer of this id exists with other contents, or is resolved already."""

    code = "journal-conflict"


class RootMismatch(LedgerError):
    """A signed epoch root is not the one that the log gives."""

    code = "root-mismatch"
    status = 422


class FinalityViolated(LedgerError):
    """The chain replaced a block that it had called final."""

    code = "finality-violated"
    status = 500


class LeaseLost(LedgerError):
    """A worker slept through the end of its lease, and another has its job now."""

    code = "lease-lost"


class NotDead(LedgerError):
    """A transaction that is to be tried again has not been given up."""

    code = "not-dead"


class DatabaseUnreachable(LedgerError):
    """The database did not answer, or hung up in the middle; the same message sent again finds out what was kept."""

    code = "database-unreachable"
    status = 503


class DatabaseUnusable(LedgerError):
    """No address of SQLite or PostgreSQL, or its driver is not installed."""

    code = "database-unusable"
    status = 500


class SchemaNewer(LedgerError):
    """The database was brought to a revision that this release does not know."""

    code = "schema-newer"
    status = 500


class NotJudged(LedgerError):
    """This ledger has no machine of rules."""

    code = "not-judged"
    status = 404


class SchemaUnknown(LedgerError):
    """Tables that no revision of ours made."""

    code = "schema-unknown"
    status = 500
