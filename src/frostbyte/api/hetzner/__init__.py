"""The HTTP face of the simulated Hetzner Cloud."""
