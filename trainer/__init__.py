"""The training side: model, data, inner and outer steps, and the light node. It never opens the database."""
