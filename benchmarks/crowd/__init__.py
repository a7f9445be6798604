"""Processes that write to one gallery and read from it at the same time, and say in JSON lines what came of it."""
