"""FastAPI: both sides are the same."""

from fastapi import FastAPI

app = FastAPI()


def score(rounds: int) -> int:
    """Compute."""
    return sum(number * number % 7 for number in range(rounds))


@app.get("/")
async def rank() -> int:
    """Return a score."""
    return score(5_000)
