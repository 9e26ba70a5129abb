"""The control plane's way to its planes: over HTTP with client certificates, and in memory."""
