"""The embedder's HTTP application: OpenAI's `/embeddings` over one model."""
