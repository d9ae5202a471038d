"""Each adapter against its stand-in."""
