"""The audit log: events, their Merkle tree, signed checkpoints, proofs and exports."""
