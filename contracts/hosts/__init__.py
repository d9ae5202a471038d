"""Machines that suppliers offer: signed offers, verifiers' measurements, and what both are held to."""
