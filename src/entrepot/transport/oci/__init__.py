"""The data plane: OCI Distribution over HTTP."""
