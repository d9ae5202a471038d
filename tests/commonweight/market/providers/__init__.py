"""Each provider's adapter against its stand-in."""
