"""The registry's store: in this process, and on PostgreSQL."""
