"""A page that says which version serves, and one that says that it does."""

import os

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def hello() -> dict[str, str]:
    """Greet."""
    return {"hello": f"from FastAPI {os.environ.get('KAMAL_VERSION', 'here')}"}


@app.get("/up")
def up() -> dict[str, bool]:
    """Answer the health check."""
    return {"ok": True}
