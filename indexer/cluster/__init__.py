"""Embedding a catalogue on many workers: Ray Data hands out pictures, workers write Lance fragments, one commit."""
