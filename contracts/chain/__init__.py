"""Access to a model on its chain: connection, deployment, events, and refusals in words."""
