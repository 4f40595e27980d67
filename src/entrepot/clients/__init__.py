"""Programs that run on the user's machine: docker credential helper, kubelet credential provider, credentials agent."""
