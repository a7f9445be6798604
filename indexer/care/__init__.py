"""What keeps a gallery's files whole: sums and second copies of them, looking for damage, and mending it."""
