"""Training of the identity head on frozen features."""
