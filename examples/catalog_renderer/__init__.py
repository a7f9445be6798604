"""Parts of `render_catalog.py`: what is photographed, where, by which camera, and what is written down about it."""
