"""JSON-RPC to untrusted chain nodes: transport, retries, finality, fees, and agreement of two nodes."""
