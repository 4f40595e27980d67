"""Generated pages of the documentation: one module a page, `python -m tools.docs` writes them all."""
