"""From nothing to a tenant's plane and back: desired, observed, plan, apply. Deciding is pure, doing is journalled."""
