"""People who sign in: what they may, and the sessions that they have."""
