"""Issuers of OpenID Connect: over HTTP, and one in memory."""
