"""The ledger: every plane's audit, verified, cosigned and kept where no plane can change it."""
