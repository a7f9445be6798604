"""Embeddings and tables that come into a gallery or leave it as files."""
