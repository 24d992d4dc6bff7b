"""Secrets of many kinds, and a search for them in everything that Assay has made."""

from pathlib import Path

from pyarrow import parquet

WORD = "Zq7Kp"  # begins every secret, and nothing else


def secret(number: int) -> str:
    """Return the secret of this number: letters and digits."""
    return f"{WORD}{number:03d}xT9"


# Each kind of text that a target, a locustfile or a person may write, with its secret.
TEXTS = tuple(
    template.replace("SECRET", secret(number))
    for number, template in enumerate(
        (
            "cannot reach http://me:SECRET@db.example/x",
            "cannot reach postgresql+asyncpg://me:SECRET/a@db.example:5432/x",
            "cannot reach redis://:SECRET@cache.example:6379/0",
            "GET http://shop.example/?access_token=SECRET&page=2",
            "GET https://blob.example/x?sv=1&sig=SECRET",
            "host=db.example port=5432 user=me password=SECRET dbname=x",
            "host=db.example password='SECRET and more' dbname=x",
            "Server=db.example;Uid=me;Pwd=SECRET;Encrypt=yes",
            "AccountName=x;AccountKey=SECRET==;EndpointSuffix=core.example",
            "POST https://hooks.slack.com/services/T01/B02/SECRET failed",
            "POST https://discord.com/api/webhooks/123/SECRET failed",
            "POST https://api.telegram.org/bot123:SECRET/send failed",
            "POST https://x.webhook.office.com/webhookb2/SECRET/a failed",
            "Authorization: Bearer SECRET",
            "the header Bearer SECRET was refused",
            "Authorization: Basic SECRET==",
            "X-Api-Key: SECRET",
            "Cookie: session=SECRET; theme=dark",
            "Set-Cookie: id=SECRET; Secure",
            "not valid: eyJhbGciOiJIUzI1NiJ9.eySECRET.SECRET",
            "remote: ghp_SECRETSECRETSECRET",
            "glpat-SECRETSECRET is no longer valid",
            "xoxb-12-SECRET was revoked",
            "sk_live_SECRET is no test key",
            "AIzaSECRETSECRETSECRETSECRET has no quota",
            "-----BEGIN RSA PRIVATE KEY-----\nSECRET\n-----END RSA PRIVATE KEY-----",
            'answered {"user": "me", "password": "SECRET"}',
            'answered "{\\"user\\": \\"me\\", \\"api_key\\": \\"SECRET\\"}"',
            "answered {'client_secret': 'SECRET'}",
            'answered {"password": "SECRET cut off',
            "password: SECRET",
            "started with --api-key SECRET --port 80",
            "started with --db-password=SECRET --port 80",
            "DB_PWD=SECRET",
            "JWT=SECRET",
            "COOKIE=SECRET",
            "BEARER=SECRET",
            "PIN=SECRET",
            "SALT=SECRET",
            "refreshToken=SECRET",
            "connected as me:SECRET@cache.example:6379",
            "no such row: SECRET",  # the value of a variable, without its name
        )
    )
)
# Secrets in the environment of Assay, in that of a variant, and in its command.
OWN = {"ACCESS_TOKEN": secret(len(TEXTS) - 1), "DB_PWD": secret(100)}
NAMES = ("DB_PWD", "JWT", "COOKIE", "BEARER", "PIN", "SALT", "API_KEY", "dbPwd")
VARIANT = {name: secret(110 + number) for number, name in enumerate(NAMES)}
DSN = {"DSN": f"host=db.example password={secret(130)} user=me"}


def found(folder: Path, *shown: str) -> list[str]:
    """Return where a secret is: the file, or what was shown, and the text around it."""
    places = [_around("shown", text) for text in shown]
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            places.append(_around(path.name, path.read_bytes().decode("latin-1")))
        if path.suffix == ".parquet":
            table = parquet.read_table(path)
            places.append(_around(path.name, str(table.to_pydict())))
    return [place for here in places for place in here]


def _around(name: str, text: str) -> list[str]:
    parts = text.split(WORD)
    return [
        f"{name}: …{before[-60:]}{WORD}{after[:20]}"
        for before, after in zip(parts, parts[1:], strict=False)
    ]
