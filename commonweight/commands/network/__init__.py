"""Commands that run or look at a part of the network."""
