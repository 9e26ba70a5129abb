"""The control channel: what a plane tells and takes from its control plane, on a listener of its own."""
