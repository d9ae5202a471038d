"""Commands about a model: deploy, stake, audit."""
