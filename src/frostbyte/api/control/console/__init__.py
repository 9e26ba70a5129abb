"""The operators' console: pages over the control plane's use cases."""
