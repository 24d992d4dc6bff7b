"""Passwords, hashed with Argon2, and tokens, signed with keys that can be rotated.

A token names the key that it was signed with (`kid`). To rotate keys, add a new one,
make it the current one, and remove the old one when its tokens have expired.
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
    """Signs tokens with the current key, and verifies them with all keys.

    Attributes:
        current: The name of the key that new tokens are signed with.
    """

    def __init__(self, keys: Mapping[str, str], current: str) -> None:
        """Set the keys by name, and the name of the current one.

        Raises:
            ValueError: There is no key of that name.
        """
        if current not in keys:
            raise ValueError(f"no key {current!r}; known are {', '.join(sorted(keys))}")
        self.current, self._keys = current, dict(keys)

    def sign(self, subject: str, seconds: float, **claims: Any) -> str:
        """Return a signed token.

        Args:
            subject: The user that the token identifies.
            seconds: How long the token is valid.
            claims: Further claims.
        """
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

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a token.

        Raises:
            AppError: 401; the token is invalid or has expired. The error does not say
                which.
        """
        try:
            name = _header(token).get("kid")
            key = self._keys.get(name) if isinstance(name, str) else None
            if key is None:
                raise jwt.InvalidKeyError("unknown key")
            # The algorithm is fixed: a token must not choose it, for instance "none".
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                options={"require": ["sub", "iat", "exp", "jti"]},
            )
        except jwt.PyJWTError as error:
            raise AppError("Not authenticated", 401) from error
        return claims


def _header(token: str) -> dict[str, Any]:
    """Return a token's header, which is not verified yet.

    PyJWT's own function parses the whole token, and `decode` would parse it again.

    Raises:
        DecodeError: The token does not begin with JSON in Base64.
    """
    try:
        header = json.loads(base64url_decode(token.partition(".")[0]))
    except (ValueError, RecursionError) as error:
        raise jwt.DecodeError("no header") from error
    return header if isinstance(header, dict) else {}


def hash_password(password: str) -> str:
    """Return the hash of a password; it takes about 50 ms and 64 MB, on purpose."""
    return _hasher.hash(password)


def verify_password(hash_: str, password: str) -> bool:
    """Say whether a password has this hash."""
    try:
        return _hasher.verify(hash_, password)
    except (Argon2Error, InvalidHashError):
        return False
