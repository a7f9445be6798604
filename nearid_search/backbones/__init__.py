"""Frozen feature extractors behind one protocol; ``registry`` opens and lists them."""
