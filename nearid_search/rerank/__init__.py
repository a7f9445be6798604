"""Second looks at a shortlist: each rung scores it anew, and none is used unless it was measured to help."""
