"""What is refused of suppliers' hosts, by whoever reads it: server, host, verifier or renter.

CommonweightError
└── HostRefused
    ├── BadHostMessage     another model, address, form or signer
    ├── HostMessageOld     it has ended, or is of another time
    ├── HostUnknown        a report about a host that has no offer here
    ├── NotAVerifier       a report or a challenge by a key that the chain has not admitted
    └── BoardFull          there is no room for more offers of strangers
"""

from __future__ import annotations

from contracts.errors import CommonweightError


class HostRefused(CommonweightError):
    """Root of what is refused of hosts."""

    code = "host-refused"
    status = 422


class BadHostMessage(HostRefused):
    """A message of another model, address or form, or signed by another key than it names."""

    code = "bad-host-message"


class HostMessageOld(HostRefused):
    """A message that has ended, that is of another time than now, or older than the one that is held."""

    code = "host-message-old"


class HostUnknown(HostRefused):
    """A report about a host that has no offer here."""

    code = "host-unknown"
    status = 404


class NotAVerifier(HostRefused):
    """The signer is no admitted verifier."""

    code = "not-a-verifier"
    status = 403


class BoardFull(HostRefused):
    """No room is left for offers of keys without a stake, and none of theirs has been measured less."""

    code = "board-full"
    status = 429
