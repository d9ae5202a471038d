"""Why a mirror refuses. Each is sent over HTTP with its status; whoever is refused has changed nothing.
That no room is left on the disk says contracts/files/whole_file.py:DiskFull.

CommonweightError
└── MirrorRefused
    ├── NotHeld, UnknownLog                      what is asked for is not here
    ├── NotAnnounced, NotWelcome, QuotaSpent     what is brought is not taken
    ├── WrongBytes, BlobTooLarge, BodyTooLarge   bytes that are not what was announced, or more of them
    ├── SlowPeer, MirrorBusy                     it does not come, or finds no place
    ├── CheckpointRefused, SizeConflict, UploadConflict, HeadContradicts
    └── RangeRefused, StoreUnusable, CopyChanged
"""

from __future__ import annotations

from contracts.errors import CommonweightError
from contracts.tlog.mirror import MirrorInfo


class MirrorRefused(CommonweightError):
    """Base of what a mirror refuses."""

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
    """This copy of the log went back while it was read: what was to be done is done anew, or asked for again."""

    code = "copy-changed"
    status = 503


class NotWelcome(MirrorRefused):
    """A message that the machine would not enter at its head, or whose author has no part in it."""

    code = "not-welcome"
    status = 403


class QuotaSpent(MirrorRefused):
    """Its author has as much here as its rounds in flight need."""

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
    """What lies on the mirror's disk is not what was put there."""

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
