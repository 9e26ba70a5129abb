"""Telling a server of the tenant's that something ended: what is said, how it is signed, and what is owed to whom."""
