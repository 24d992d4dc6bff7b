"""Finds passwords and keys in free text: URLs, headers, settings and error messages.

Ordinary text must stay as it is: `/v1/password-reset`, `tokens=128`, `KeyError: 'x'`.
So a name counts only if it names a secret itself (`db_password`, `AccountKey`), and,
where prose is likely, only if its value looks like a secret, too.
"""

import re
from urllib.parse import unquote

HIDDEN = "***"
# A name that sounds like a secret.
SECRET = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)
# The same for variables, options and parameters. Short words count only on their own:
# `pin` counts, `shipping` does not.
SECRET_NAME = re.compile(
    rf"(?i:{SECRET.pattern}|bearer|jwt|cookie|webhook)"
    r"|(?<![A-Za-z])(?i:pwd|pin|salt|sig|signature|otp|pat|sid)(?![A-Za-z])"
    r"|(?<=[a-z])(?:Pwd|Pin|Salt|Sig)(?![a-z])"
)
_PASSWORDS = frozenset(("password", "passwd", "passphrase", "pwd", "pass"))
_NOUNS = _PASSWORDS | frozenset(
    ("secret", "secrets", "token", "jwt", "cookie", "bearer", "pin", "salt", "otp")
    + ("credential", "credentials", "signature", "sig", "pat", "sid", "authorization")
    + ("apikey", "authkey", "accesskey", "secretkey", "sessionid", "webhook")
    + ("accesstoken", "authtoken", "dbpassword", "userpassword", "pgpassword")
)
# A key is a secret if one of these words says what it is for. A cache key is not.
_KEYS_FOR = frozenset(
    ("api", "access", "account", "secret", "private", "signing", "encryption", "auth")
    + ("master", "shared", "client", "license", "storage", "admin", "deploy", "hmac")
)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Where a word begins: also after the characters `\n` for a line end in quoted text.
START = r"(?:(?<!\w)|(?<=\\[nrt]))"
_HEADER = re.compile(
    rf"(?i){START}((?:proxy-)?authorization|(?:set-)?cookie|x-(?:api-key|auth-token))"
    r"(\\?[\"']?\s*[:=]\s*\\?[\"']?)(?=[^\s\"'*])[^\"'\r\n\\]+"
)
# A scheme of HTTP authentication; the prose "Bearer authentication" has no digit.
_SCHEME = re.compile(
    rf"{START}(Bearer|Basic|Digest)(\s+)([\w.~+/=-]{{6,}})", re.IGNORECASE
)
# Up to the last @ before the path: a password may contain one.
_USER_INFO = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")
# A password with a slash: it is not valid in a URL, but people write such URLs. Digits
# before a slash are a port.
_SLASHED = re.compile(
    r"(?<=://)[^/?#\s:@\"'<>]{0,200}:(?!\d+(?:[/?#]|$))[^\s@\"'<>]{0,500}@"
)
_LOGIN = re.compile(r"(?<![\w/@:])([\w.+-]{1,64}):([^\s:@/\"'<>]{3,})@(?!sha)(?=\w)")
_PARAMETER = re.compile(r"([?&][\w.~%\[\]-]*=)([^&#\s\"'<>]*)")
# A part of a secret between slashes. No name of a folder has a digit, a small letter, a
# capital and this length.
_BASE_64 = re.compile(r"(?=\D*\d)(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9+=]{12,}")
_KEY = re.compile(r"(?=\D*\d)[\w-]{16,}")
_WEBHOOK = re.compile(
    r"(?i)(\bhooks\.slack\.com/(?:services|workflows|triggers)/"
    r"|\bdiscord(?:app)?\.com/api/(?:v\d+/)?webhooks/"
    r"|\bapi\.telegram\.org/bot|\bwebhook\.office\.com/webhookb2/"
    r"|\bhooks\.zapier\.com/hooks/catch/|/webhooks?/(?=(?:[\w-]{1,99}/){0,5}"
    # A key; the path of an API, `/webhooks/stripe/v1`, has none.
    r"(?=[\w-]{0,99}\d)[\w-]{16}))[^\s\"'<>?#]+"
)
_FORMATS = re.compile(
    START + r"(?:eyJ[\w-]{8,2000}\.[\w-]{4,}(?:\.[\w-]*)?"  # JSON web token
    r"|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
    r"|xox[a-z]-[\w-]{8,}|(?:AKIA|ASIA)[0-9A-Z]{16}\b|AIza[\w-]{30,}"
    r"|[spr]k_(?:live|test)_\w{8,}|sk-[\w-]{0,99}\d[\w-]{16,}|whsec_\w{8,}"
    r"|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{20,}|hvs\.[\w-]{20,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,})"
)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
# `name=value`, `name: value`, `"name": "value"`; in quoted text there are backslashes
# before the quotes.
_NAME = re.compile(
    r"(?<![\w./-])(-{0,2}[A-Za-z_][\w.-]{0,80})(?:\\?[\"'])?([ \t]*[:=][ \t]*)"
)
_ESCAPED = re.compile(r"\\[nrt]")
_VALUE = re.compile(r"(\\?[\"'])((?:(?!\1).)*)|([^\s;&\"'<>]{1,4000})")
_OPTION = re.compile(
    r"(?:(?<![\w-])|(?<=\\[nrt]))(--[A-Za-z][\w-]*)([ \t]+)(?!-)([^\s\"']+)"
)
# What stands for a value: `?`, `$1`, `%s`, `:name`, `{name}`, `[name]`, `<name>`.
_PLACEHOLDER = re.compile(
    r"\?|\$\d+|%s|%\(\w+\)s|:[a-z_]+|\$?\{+[\w. ]*\}+|\[\w*\]|<\w*>|\*+|\.\.\.|…"
    r"|None|null|True|False|true|false"
)
# The id of a test comes from the user's own files, and is a key of several files.
TEST = re.compile(r"[^\s:=?\"'<>]+\.py(?:::\w+)+(?:\[.*\])?", re.DOTALL)
# Every text that a pattern above matches contains one of these.
_HINT = re.compile(
    r"[:=@]|--|eyJ|gh._|hub_pat|glpat|xox|A[KS]IA|AIza|k_|sk-|whsec|"
    r"npm_|pypi-|hvs\.|SG\.|(?i:bearer|basic|digest|hook)|api\.tel"
)


def hide(text: str) -> str:
    """Return the text with everything that is clearly a secret replaced by `***`."""
    if not _HINT.search(text) or TEST.fullmatch(text):
        return text
    text = _PRIVATE_KEY.sub(rf"\1{HIDDEN}", text)
    if "://" in text:
        text = _SLASHED.sub(f"{HIDDEN}@", _USER_INFO.sub(f"{HIDDEN}@", text))
    text = _WEBHOOK.sub(rf"\1{HIDDEN}", text)
    text = _PARAMETER.sub(_parameter, text)
    text = _HEADER.sub(rf"\1\2{HIDDEN}", text)
    text = _SCHEME.sub(_after_scheme, text)
    text = _FORMATS.sub(HIDDEN, text)
    text = _hide_pairs(text)
    text = _OPTION.sub(_option, text)
    return _LOGIN.sub(_login, text)


def user_infos(text: str) -> list[str]:
    """Return the passwords, or else the users, of the URLs in a text."""
    infos = _USER_INFO.findall(text) + _SLASHED.findall(text)
    return [info.removesuffix("@").rpartition(":")[2] for info in infos]


def parameters(text: str) -> list[str]:
    """Return the values of the secret parameters of the URLs in a text."""
    return [
        match[2] for match in _PARAMETER.finditer(text) if _is_secret_parameter(match)
    ]


def names_secret(name: str) -> bool:
    """Say whether a name is that of a secret itself: `API_KEY`, but not `TOKEN_TTL`."""
    parts = [part.lower() for part in _PART.findall(name)]
    if not parts:
        return False
    if parts[-1] in ("key", "keys"):
        return len(parts) > 1 and parts[-2] in _KEYS_FOR
    return parts[-1] in _NOUNS


def looks_secret(value: str) -> bool:
    """Say whether a value looks like a secret rather than like a word or a number."""
    if len(value) < 6 or not any(character.isalpha() for character in value):
        return False
    has_digit = any(character.isdigit() for character in value)
    inner_capital = value[1:] != value[1:].lower() and value != value.upper()
    return has_digit or inner_capital or len(value) >= 20


def is_base_64_with_slashes(value: str) -> bool:
    """Say whether a value is a secret in base 64 that looks like a path."""
    return value.startswith("/") and any(map(_BASE_64.fullmatch, value.split("/")))


def _parameter(match: re.Match[str]) -> str:
    return match[1] + HIDDEN if _is_secret_parameter(match) else match[0]


def _is_secret_parameter(match: re.Match[str]) -> bool:
    """Say whether a parameter is a secret: `?api_key=x`, but not `?keyword=shoes`.

    `?key=` and `?auth=` are secrets only if their values look like keys.
    """
    name = unquote(match[1])
    is_key = _PART.findall(name)[-1:] in (["key"], ["auth"])
    return names_secret(name) or bool(is_key and _KEY.fullmatch(match[2]))


def _after_scheme(match: re.Match[str]) -> str:
    return match[1] + match[2] + HIDDEN if looks_secret(match[3]) else match[0]


def _option(match: re.Match[str]) -> str:
    return match[1] + match[2] + HIDDEN if names_secret(match[1]) else match[0]


def _login(match: re.Match[str]) -> str:
    return f"{HIDDEN}@" if looks_secret(match[2]) else match[0]


def _hide_pairs(text: str) -> str:
    """Hide the values of the pairs whose name is that of a secret."""
    parts: list[str] = []
    position = searched = 0
    while name := _NAME.search(text, searched):
        searched = name.end()  # a value can begin with a pair: "error: token=..."
        last = name[1].rpartition(".")[2]  # `password.py:31` is a place in a file
        if _ESCAPED.match(text, max(0, name.start() - 1)) and not names_secret(last):
            last = last.removeprefix(text[name.start()])  # `\npassword=`
        value = _VALUE.match(text, searched) if names_secret(last) else None
        span = _secret_part(last, name[2], value) if value else None
        if span:
            parts += [text[position : span[0]], HIDDEN]
            position = searched = span[1]
    return "".join([*parts, text[position:]])


def _secret_part(
    name: str, separator: str, value: re.Match[str]
) -> tuple[int, int] | None:
    """Return the begin and end of the secret in a value; None if there is no secret."""
    quote, quoted, plain = value.groups()
    if quote is not None:
        is_shown = not quoted or _PLACEHOLDER.fullmatch(quoted)
        return None if is_shown else value.span(2)
    word = plain.rstrip("),.]}\\")
    if _PLACEHOLDER.fullmatch(plain) or _is_harmless(name, separator, word[:200]):
        return None
    return value.start(), value.start() + len(word)


def _is_harmless(name: str, separator: str, value: str) -> bool:
    """Say whether an unquoted value is a word of prose, code or a placeholder."""
    if not value or _PLACEHOLDER.fullmatch(value):
        return True
    # In code: password=form.password, token=new_token(user)
    if names_secret(value.partition("(")[0]) and not re.search(r"\d", value):
        return True
    parts = [part.lower() for part in _PART.findall(name)]
    is_password = parts[-1] in _PASSWORDS
    if separator == "=":
        # PWD=/home/me is a folder; token=3 is a count.
        counts = value.isdigit() and parts[-1] in ("token", "tokens")
        is_folder = value.startswith("/") and not is_base_64_with_slashes(value)
        return counts or (parts == ["pwd"] and is_folder)
    if is_password and separator != ":":
        return False
    return not looks_secret(value)
