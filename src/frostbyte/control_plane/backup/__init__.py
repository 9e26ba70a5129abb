"""What is kept elsewhere: the control plane's own state, tenants' planes by a schedule, and the way back of both."""
