"""Renders identities over photographs, each view with near-identity distractors on the very same background."""
