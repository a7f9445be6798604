"""Galleries: from a catalogue of photographs to rows in LanceDB and a searchable index.

The gallery itself, its tables and its manifest are here. ``catalogue`` fills it from pictures, ``exchange`` from files
and back, ``search`` finds in it, ``corrections`` keeps what people say of it, and ``review`` finds what they may want
to say.
"""
