"""A catalogue of photographs becomes rows: walked, planned, encoded, written, and made again."""
