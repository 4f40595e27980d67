"""How it is started, configured, wired and operated."""
