"""The command line: the library with a pretty face."""
