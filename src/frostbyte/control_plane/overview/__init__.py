"""What operators look at: an operation as a tree, tenants with what they cost. Reads, and no more."""
