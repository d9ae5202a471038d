"""HTTP for all routes alike: bodies, methods, parameters, problems, uploads, and waiting for news."""
