"""Protocols: from an embedded split to figures with intervals, and counts of what they leave out."""
