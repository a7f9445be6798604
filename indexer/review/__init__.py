"""What in a gallery looks wrong, for a person to decide."""
