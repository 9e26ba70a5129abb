"""Traefik's files: pure text from the edge's description."""

from frostbyte.deploy.traefik.render import CODE_HEADER, Traefik, startup

__all__ = ["CODE_HEADER", "Traefik", "startup"]
