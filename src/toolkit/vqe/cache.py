"""Files of what takes seconds to compute: each states the identity of what it holds.

One that differs in its identity or in the SHA-256 of its content, or cannot be read, counts as
not there. The cache is never needed: where it cannot be written, things are computed each time.
Files appear whole, so that processes may write the same one at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from toolkit.core.errors import RunError
from toolkit.core.files import read_json, write_json

_log = logging.getLogger(__name__)


def root() -> Path:
    """``$TOOLKIT_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("TOOLKIT_CACHE")
    if not chosen:
        import pooch

        chosen = str(pooch.os_cache("toolkit"))
    return Path(chosen)


def path_of(kind: str, name: str, identity: Any) -> Path:
    """Where ``identity`` is kept: in ``kind`` of ``root``."""
    return root() / kind / f"{name}-{_sha256(identity)[:24]}.json"


def load(path: Path, identity: Any) -> Any | None:
    """The content that ``save`` wrote for ``identity``, or None when none is whole."""
    try:
        if not path.is_file():
            return None
        found = read_json(path)
    except (RunError, OSError) as error:
        _log.warning("cached %s cannot be read (%s); making it anew", path, error)
        return None
    content = found.get("content")
    if found.get("identity") == identity and found.get("sha256") == _sha256(content):
        return content
    _log.warning("cached %s is damaged or of something else; making it anew", path)
    return None


def save(path: Path, identity: Any, content: Any) -> None:
    """Keep ``content``; where that is not possible nothing happens."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"identity": identity, "sha256": _sha256(content), "content": content})
    except (OSError, RunError) as error:
        _log.info("%s is not cached: %s", path.name, error)


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
