"""The one way out of a tenant's hosts: tunnels to what a list names, and to nothing else."""
