"""Proposals and votes for a holder: composed, signed, read and checked."""
