"""What the registry does: one module per noun, in steps and transactions."""
