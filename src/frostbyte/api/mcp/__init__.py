"""Search and proofs for assistants: a server of the Model Context Protocol that asks a plane as its caller."""
