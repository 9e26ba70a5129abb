"""Stores of the ledger: PostgreSQL, and one in memory for tests and demonstrations."""
