"""The control plane's Admin API: one module a subject, each with its `router`."""
