"""Handlers of the KMS operations, a module for each noun; each lists its operations in OPERATIONS."""
