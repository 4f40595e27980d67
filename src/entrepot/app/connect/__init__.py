"""Making the server reachable under AWS-shaped names with TLS, on this machine, and undoing it."""
