"""Clients of mirrors: addresses, tickets, and calls to a mirror that may lie."""
