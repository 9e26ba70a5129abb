"""Qdrant's engine behind the part of Qdrant's REST interface that a plane uses: a stand-in for a Qdrant server.

What a request may hold and what an answer looks like is Qdrant's (https://api.qdrant.tech, version 1.1x). A field that
this server does not know is refused, never passed over: nothing is done by halves without saying so.
"""
