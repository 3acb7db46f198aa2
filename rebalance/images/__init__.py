"""Pixels: the only place with Pillow. It sees bytes, never a path."""
