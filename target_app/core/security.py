"""Passwords and tokens: hashed by Argon2, signed by keys that can be changed.

A token names the key that it was signed with (`kid`). To change keys, add a new one,
make it the current one, and take the old one away once its tokens have expired.
"""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from jwt.utils import base64url_decode

from target_app.core.errors import AppError

ALGORITHM = "HS256"
_hasher = PasswordHasher()


class KeyRing:
    """Signs with one key, and knows others that were used before it.

    Attributes:
        current: The name of the key that new tokens are signed with.
    """

    def __init__(self, keys: Mapping[str, str], current: str) -> None:
        """Take keys by name.

        Raises:
            ValueError: The current one is none of them.
        """
        if current not in keys:
            raise ValueError(f"no key {current!r}; known are {', '.join(sorted(keys))}")
        self.current, self._keys = current, dict(keys)

    def signed(self, subject: str, seconds: float, **claims: Any) -> str:
        """Return a token of somebody that holds for so many seconds."""
        now = time.time()
        content = {
            **claims,
            "sub": subject,
            "iat": int(now),
            "exp": int(now + seconds),
            "jti": secrets.token_urlsafe(12),
        }
        key = self._keys[self.current]
        return jwt.encode(content, key, ALGORITHM, headers={"kid": self.current})

    def verified(self, token: str) -> dict[str, Any]:
        """Return what a token says.

        Raises:
            AppError: 401; it is none of ours, or has expired. Why is not said.
        """
        try:
            name = _header(token).get("kid")
            key = self._keys.get(name) if isinstance(name, str) else None
            if key is None:
                raise jwt.InvalidKeyError("unknown key")
            # The algorithm is ours to choose, never the token's: "none" is not one.
            found: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                options={"require": ["sub", "iat", "exp", "jti"]},
            )
        except jwt.PyJWTError as error:
            raise AppError("Not authenticated", 401) from error
        return found


def _header(token: str) -> dict[str, Any]:
    """Return a token's header, of which nothing can be believed yet.

    PyJWT's own way to it reads the whole token, and `decode` reads it all again.
    """
    try:
        found = json.loads(base64url_decode(token.partition(".")[0]))
    except (ValueError, RecursionError) as error:
        raise jwt.DecodeError("no header") from error
    return found if isinstance(found, dict) else {}


def hashed(password: str) -> str:
    """Return the hash of a password; it takes some 50 ms and 64 MB, on purpose."""
    return _hasher.hash(password)


def matches(hash_: str, password: str) -> bool:
    """Say whether a password is the one of a hash."""
    try:
        return _hasher.verify(hash_, password)
    except (Argon2Error, InvalidHashError):
        return False
