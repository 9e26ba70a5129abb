"""A simulated Hetzner Cloud: its resources, rules, prices and failures. It knows no HTTP server and no client.

`world.World.call` takes a request of the Cloud API and gives the reply that the API would give. docs/simulator.md says
what is simulated, what is refused, and which failures can be asked for.
"""
