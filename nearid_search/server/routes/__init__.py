"""What the service answers to, by subject."""
