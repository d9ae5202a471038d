"""The server as a shell around the machine of rules: a fact and all that follows from it enter in one transaction."""
