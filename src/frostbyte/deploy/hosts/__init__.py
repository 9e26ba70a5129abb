"""What a tenant's hosts are told and given, as pure text: user data, packet filters, compose projects, files."""

from frostbyte.deploy.hosts.renderer import HostRenderer

__all__ = ["HostRenderer"]
