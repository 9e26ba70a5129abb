"""Signing in by somebody else's word: OpenID Connect, the authorization code flow with PKCE."""
