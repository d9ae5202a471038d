"""The database and the blobs: connections, migrations, tables, seals, and notices of commits."""
