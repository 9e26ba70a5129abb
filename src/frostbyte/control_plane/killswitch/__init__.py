"""Stops a tenant within a second, starts it again, and keeps every plane told of what it may do.

`orders` decides what must be so, `pace` when a plane is asked, `steps` what an operation does next; all three are pure.
`Switch` acts on operators' commands, `Pusher` keeps the planes' leases, and both bring about only what the
registry says.
"""
