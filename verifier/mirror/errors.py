"""A mirror's refusals. Each is sent over HTTP with its status; a refused request has changed nothing.
A full disk is contracts/files/whole_file.py:DiskFull.

CommonweightError
└── MirrorRefused
    ├── NotHeld, UnknownLog                      the mirror does not have the thing
    ├── NotAnnounced, NotWelcome, QuotaSpent     the mirror does not take the message or the blob
    ├── WrongBytes, BlobTooLarge, BodyTooLarge   other bytes than were announced, or more of them
    ├── SlowPeer, MirrorBusy                     the body does not come, or the upload finds no place
    ├── CheckpointRefused, SizeConflict, UploadConflict, HeadContradicts
    └── RangeRefused, StoreUnusable, CopyChanged
"""

from __future__ import annotations

from contracts.errors import CommonweightError
from contracts.tlog.mirror import MirrorInfo


class MirrorRefused(CommonweightError):
    """Base of a mirror's refusals."""

    code = "mirror-refused"
    status = 400


class NotHeld(MirrorRefused):
    """No blob, checkpoint, tile or route of that name."""

    code = "not-found"
    status = 404


class UnknownLog(MirrorRefused):
    """A head or entries of a log that this mirror does not copy."""

    code = "unknown-log"
    status = 404


class NotAnnounced(MirrorRefused):
    """A blob that no message names which this mirror holds."""

    code = "not-announced"
    status = 403


class CopyChanged(MirrorRefused):
    """This copy of the log went back while it was read: the work is done anew, or asked for again."""

    code = "copy-changed"
    status = 503


class NotWelcome(MirrorRefused):
    """A message that the machine would not enter at its head, or whose author has no part in it."""

    code = "not-welcome"
    status = 403


class QuotaSpent(MirrorRefused):
    """The author already has as much here as its rounds in flight need."""

    code = "quota-spent"
    status = 403


class WrongBytes(MirrorRefused):
    """Bytes that do not hash to the digest, or are fewer than announced."""

    code = "blob-mismatch"
    status = 422


class BlobTooLarge(MirrorRefused):
    """More bytes than were announced."""

    code = "blob-too-large"
    status = 413


class BodyTooLarge(MirrorRefused):
    """A request's body above its limit."""

    code = "body-too-large"
    status = 413


class SlowPeer(MirrorRefused):
    """Ten seconds without a byte, or fewer bytes a second than the least rate."""

    code = "slow-peer"
    status = 408


class MirrorBusy(MirrorRefused):
    """As many uploads are under way as this mirror takes at once."""

    code = "mirror-busy"
    status = 503


class StoreUnusable(MirrorRefused):
    """The mirror's disk gives other bytes than were written."""

    code = "store-unusable"
    status = 500


class CheckpointRefused(MirrorRefused):
    """A head without the signature of the log's key."""

    code = "checkpoint-refused"
    status = 403


class HeadContradicts(MirrorRefused):
    """A head under the operator's signature that is of another log than this copy; both are kept."""

    code = "head-contradicts"
    status = 409


class SizeConflict(MirrorRefused):
    """A proof from another size than that of the newest head that is known here."""

    code = "size-conflict"
    status = 409

    def __init__(self, size: int) -> None:
        super().__init__(f"the newest head here has {size} entries")
        self.size = size


class UploadConflict(MirrorRefused):
    """Entries that do not follow on those that are here, or lead to a head that is not known here."""

    code = "upload-conflict"
    status = 409

    def __init__(self, info: MirrorInfo) -> None:
        super().__init__(f"the next entry here is {info.next_entry}, under a head of {info.size} entries")
        self.info = info


class InvalidMirrorAddress(MirrorRefused):
    """No address at which a mirror may be reached."""

    code = "invalid-mirror-address"
    status = 422


class RangeRefused(MirrorRefused):
    """A range of bytes that the blob does not have, or more than one."""

    code = "range-refused"
    status = 416
