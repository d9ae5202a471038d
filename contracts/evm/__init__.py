"""The chain as somebody else's nodes show it: transport, retries, finality, fees, and two nodes that have to agree."""
