"""The machine of rules: facts in, derived entries out (docs/judge.md has the diagrams and the rules one by one)."""
