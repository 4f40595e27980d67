"""How we talk to other registries, issuers and subscribers."""
