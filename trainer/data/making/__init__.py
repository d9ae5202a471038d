"""Text to shards: documents, a tokenizer, files by digest and their index."""
