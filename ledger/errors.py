"""The ledger's refusals, each with its code and HTTP status. All derive from LedgerError."""

from __future__ import annotations

from contracts.errors import CommonweightError


class LedgerError(CommonweightError):
    """Root of the ledger's refusals; an operation that raises one has changed nothing."""

    code = "ledger-error"
    status = 409


class NotFound(LedgerError):
    """No run, round, proof, blob, epoch or proposal of that name."""

    code = "not-found"
    status = 404


class NotVerifier(LedgerError):
    """The signer is not an admitted verifier."""

    code = "not-verifier"
    status = 403


class VoteClosed(LedgerError):
    """The vote is over."""

    code = "vote-closed"


class AlreadyDecided(LedgerError):
    """Another message of the same signer stands in this place."""

    code = "already-committed"


class BindingMismatch(LedgerError):
    """A signed fault differs from the one that follows from the log."""

    code = "binding-mismatch"
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
    """The proposer or voter has no votes, or had none at the snapshot."""

    code = "no-votes"
    status = 403


class BelowThreshold(LedgerError):
    """The relayer pays for larger holders only; anybody may send the transaction from a wallet."""

    code = "below-relay-threshold"
    status = 403


class RelayBudgetSpent(LedgerError):
    """The relayer's budget of the day is used up, the account's or everybody's."""

    code = "relay-budget-spent"
    status = 429


class TooEarly(LedgerError):
    """The epoch or vote that this needs does not exist yet."""

    code = "too-early"
    status = 409


class LedgerBusy(LedgerError):
    """The wait for the writers' turn was too long."""

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
    """A process's lease expired, and another process has the lease now."""

    code = "lease-lost"


class WrongCallState(LedgerError):
    """A call of the outbox was to make a transition that its state does not have: a bug of this server."""

    code = "wrong-call-state"
    status = 500


class NotDead(LedgerError):
    """A transaction that is to be tried again is neither dead, refused nor failed."""

    code = "not-dead"


class DatabaseUnreachable(LedgerError):
    """The database did not answer, or hung up in the middle; the same message sent again finds out what was kept."""

    code = "database-unreachable"
    status = 503


class DatabaseUnusable(LedgerError):
    """No address of SQLite or PostgreSQL, no driver for it, or a database in which no ledger can be kept: its encoding,
    its disk, its permissions."""

    code = "database-unusable"
    status = 500


class DatabaseMissing(LedgerError):
    """No database is at the address, or one without a table."""

    code = "database-missing"
    status = 500


class DatabaseForeign(LedgerError):
    """The database is another model's, or the same one's on another chain."""

    code = "database-foreign"
    status = 500


class SchemaNewer(LedgerError):
    """The database was brought to a revision that this release does not know."""

    code = "schema-newer"
    status = 500


class SchemaUnknown(LedgerError):
    """Tables that no revision of ours made."""

    code = "schema-unknown"
    status = 500
