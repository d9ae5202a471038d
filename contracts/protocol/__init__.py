"""The rules of the protocol, without a database, a clock or a socket."""
