"""The HTTP service over one gallery; its modules need the extra ``serve``."""
