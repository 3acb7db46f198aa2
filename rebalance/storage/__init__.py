"""The disk: the only place that opens for writing, renames, links or deletes."""
