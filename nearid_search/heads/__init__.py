"""The trained heads that ship, a folder each; ``nearid_search.shipped_heads`` finds them."""
