"""The tenant's console: pages over the plane's use cases."""
