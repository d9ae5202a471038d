"""What anybody reads of one short run: audit, receipts, replays, contributions, fsck."""
