"""Galleries: from a catalogue of photographs to rows in LanceDB and a searchable index."""
