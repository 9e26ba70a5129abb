"""A BERT-like embedding model from a GGUF file, run on this machine: what `frostbyte serve embedder` serves."""

from frostbyte.adapters.embeddings.gguf.batching import Batcher, Busy
from frostbyte.adapters.embeddings.gguf.header import Header, read_header
from frostbyte.adapters.embeddings.gguf.model import Model, load

__all__ = ["Batcher", "Busy", "Header", "Model", "load", "read_header"]
