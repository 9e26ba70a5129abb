"""The door of a plane without a network: a port of the host on one side, the gateway's socket on the other."""
