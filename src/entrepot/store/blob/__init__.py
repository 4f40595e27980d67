"""Bytes: objects under random storage keys, in drivers that pass one contract suite."""
