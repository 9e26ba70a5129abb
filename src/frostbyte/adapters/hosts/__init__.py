"""Servers over SSH: `ssh` reaches real ones, `memory` is the same without machines. One contract for both."""
