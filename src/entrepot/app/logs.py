"""Logs: structured lines on standard error, JSON or for the eye, secrets taken out.

What comes from libraries through `logging` passes the same processors.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from entrepot.app.config import Settings

_SECRET_KEYS = re.compile(r"authorization|password|secret|token$|signature|master_key|cookie", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?i)((?:signature|x-amz-security-token|password)=)[^&\s\"']+"
    r"|(://[^/\s:@]*:)[^/@\s]+(?=@)"  # of a URL's user
    r"|(entr_[A-Z2-7]{16})[A-Z2-7]{55}"  # of a robot token, whose id may be shown
)
_HIDDEN = "[hidden]"


def configure(settings: Settings) -> None:
    """Set up logging of this process."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    is_console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(is_console=is_console)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("alembic", "asyncio", "botocore"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


def hide_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace values whose key or text says that they are secret."""
    return {key: _HIDDEN if _SECRET_KEYS.search(key) else _hidden_in(value) for key, value in event.items()}


def without_secrets(text: str) -> str:
    """A text in which what looks like a secret is hidden."""
    return _SECRET_TEXT.sub(lambda found: f"{found[1] or found[2] or found[3]}{_HIDDEN}", text)


def reason_of(error: BaseException) -> str:
    """One line that tells an operator why: of the cause, where the error itself is ours and has no words."""
    cause = error.__cause__ or error
    text = str(getattr(cause, "orig", None) or cause).strip()
    return " ".join(text.split()) or type(cause).__name__


def _hidden_in(value: Any) -> Any:
    return without_secrets(value) if isinstance(value, str) else value


def _renderer(*, is_console: bool) -> Processor:
    return (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if is_console else structlog.processors.JSONRenderer()
    )
