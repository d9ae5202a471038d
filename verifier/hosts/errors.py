"""What can go wrong at a supplier's host, and in measuring one.

CommonweightError
└── HostTrouble
    ├── HostBusy           a measurement or a rented machine is under way
    ├── ChallengeUnknown   no challenge of this name, or one that has ended
    ├── ChallengeRefused   more bytes, or another part, than the challenge named
    ├── RentRefused        the host runs nothing for this renter, or not this order
    ├── RentPriceRose      the host costs more than the order allows
    ├── HostAway           it does not answer, too slowly, or refuses
    │   └── HostSaysNo     it refuses, in a problem document
    └── HostFailed         what it answers is wrong: bits, bytes, address or time
"""

from __future__ import annotations

from contracts.errors import CommonweightError


class HostTrouble(CommonweightError):
    """Root of what goes wrong at a host."""

    code = "host-trouble"
    status = 422


class HostBusy(HostTrouble):
    """Another measurement, or a rented machine, is under way: it would be measured with it."""

    code = "host-busy"
    status = 409


class ChallengeUnknown(HostTrouble):
    """No challenge of this name is under way."""

    code = "challenge-unknown"
    status = 404


class ChallengeRefused(HostTrouble):
    """A part of a challenge that it did not name."""

    code = "challenge-refused"


class RentRefused(HostTrouble):
    """The supplier allows this renter nothing, or the order is none that can be taken."""

    code = "rent-refused"
    status = 403


class RentPriceRose(HostTrouble):
    """The host costs more than the order allows."""

    code = "rent-price-rose"
    status = 409


class HostAway(HostTrouble):
    """A host that does not answer in time, breaks off, or refuses."""

    code = "host-away"
    status = 502


class HostSaysNo(HostAway):
    """A host that refuses; `said` is the code that it names, which is its own word."""

    code = "host-says-no"

    def __init__(self, detail: str, said: str = "") -> None:
        super().__init__(detail)
        self.said = said


class HostFailed(HostTrouble):
    """A host whose answers are wrong: other bits than its verifier's, other bytes, another supplier, no memory."""

    code = "host-failed"
    status = 502
