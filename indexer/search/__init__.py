"""Search in a gallery: the backends behind one interface, the stored index and what keeps it true."""
