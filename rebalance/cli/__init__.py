"""Talking: the only place with click, tqdm, printing and exit codes."""
