"""How planes are set up: descriptions, certificates, the tenant's part of each server."""
