"""Proposals and votes as a holder makes and reads them."""
