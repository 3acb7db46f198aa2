"""Bundled configurations, as TOML files."""
