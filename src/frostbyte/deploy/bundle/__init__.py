"""The offline bundle: what is in it, how it is written down, and the scripts that a host runs. No engine here."""
