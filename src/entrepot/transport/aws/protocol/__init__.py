"""Parsing and serialising of AWS's wire protocols by the service models."""
