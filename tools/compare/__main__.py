"""Runs every check against one server and prints its column of the table in docs/comparison.md."""

from __future__ import annotations

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError

from tools.compare.check import CHECKS, Check, pull_kept, push_kept
from tools.compare.target import NoApi, Target, error_code


def main() -> None:
    """One line a check: the answer, the title and, for a no, the reason."""
    arguments = _arguments()
    target = Target(arguments.api, arguments.registry, arguments.access_key, arguments.secret_key, arguments.region)
    target.ask_anonymously("/v2/")  # fails here when nobody listens, rather than with a "no" in each line
    checks = {"Images are there after a restart": pull_kept} if arguments.restarted else CHECKS
    for title, check in checks.items():
        answer, reason = _run(check, target)
        print(f"{answer:10} {title}{f'  ({reason})' if reason else ''}", flush=True)
    if not arguments.restarted:
        _run(push_kept, target)


def _run(check: Check, target: Target) -> tuple[str, str]:
    try:
        return check(target) or "yes", ""
    except NoApi:
        return "-", "no ECR API"
    except ClientError as error:
        return "no", error_code(error)
    except (AssertionError, BotoCoreError, OSError, LookupError, ValueError) as error:
        return "no", f"{type(error).__name__} {error}".strip()[:200]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.compare", description=sys.modules[__name__].__doc__)
    parser.add_argument("--api", help="URL of the ECR API; without it the server is a plain registry")
    parser.add_argument("--registry", required=True, help="URL of the registry")
    parser.add_argument("--access-key", default="test")
    parser.add_argument("--secret-key", default="test")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--restarted", action="store_true", help="only ask for the image of the run before")
    return parser.parse_args()


if __name__ == "__main__":
    main()
