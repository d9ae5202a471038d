"""Parts of HTTP that all routes share: bodies, methods, parameters, problem documents, uploads, and the long poll."""
