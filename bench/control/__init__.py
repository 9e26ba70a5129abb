"""What a control plane does with its tenants."""
