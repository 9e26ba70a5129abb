"""The ways to the servers of webhooks."""
