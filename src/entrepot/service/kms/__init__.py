"""Services of KMS, a module for each noun."""
