"""The commands in four groups: of holders, about a model, in a network, of an operator."""
