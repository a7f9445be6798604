"""Metrics and protocols of identity retrieval."""
