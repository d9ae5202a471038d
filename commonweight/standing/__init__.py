"""Where claims, contributions, funding rounds and revenue shares rest: a closed list of states each, and a sentence."""
