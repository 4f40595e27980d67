"""Where facts (`metadata`) and bytes (`blob`) live."""
