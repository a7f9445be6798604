"""Galleries in an object store: its addresses as paths, who may write, and what is kept of it on this machine."""
