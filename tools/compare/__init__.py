"""What a registry does of what ECR does: the checks behind docs/comparison.md, run against any server."""
