"""Engines that recognise names and addresses: implementations of `policy.NameFinder`."""

from frostbyte.adapters.names.rampart import RampartNames, installed

__all__ = ["RampartNames", "installed"]
