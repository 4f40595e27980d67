"""Handlers of entrepot's own service, a module for each noun; its model lies in `data`, as botocore's own do."""
