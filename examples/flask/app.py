"""A page that says which version serves, and one that says that it does."""

import os

from flask import Flask, session

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]


@app.get("/")
def hello() -> str:
    """Greet, and count the visits in a signed cookie."""
    session["visits"] = session.get("visits", 0) + 1
    return f"Hello from Flask {os.environ.get('KAMAL_VERSION', 'here')}, visit {session['visits']}\n"


@app.get("/up")
def up() -> str:
    """Answer the health check."""
    return "ok\n"
