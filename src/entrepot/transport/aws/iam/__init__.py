"""Handlers of the IAM operations, a module for each kind of entity; each lists its operations in OPERATIONS."""
