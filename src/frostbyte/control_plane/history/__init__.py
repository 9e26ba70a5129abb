"""What happened to a tenant, told in sentences."""
