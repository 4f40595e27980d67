"""Handlers of the STS operations."""
