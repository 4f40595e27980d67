"""Services of IAM: one class per noun."""
