"""The indexer. Events of final blocks are applied; unconfirmed ones can be undone."""
