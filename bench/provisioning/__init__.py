"""What it takes to make tenants' hosts."""
