"""Commands that start or inspect a part of the network."""
