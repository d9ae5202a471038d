"""The state of claims, contributions, funding rounds and revenue shares, each from a closed list with a sentence."""
