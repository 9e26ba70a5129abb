"""Traefik's files: pure text from the edge's description."""

from frostbyte.deploy.traefik.render import Traefik, startup

__all__ = ["Traefik", "startup"]
