"""Commands for a model: deploy, stake, audit."""
