"""Which methods a path takes: what a 405 names, and OPTIONS answers."""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

ASKED = ("GET", "POST", "PUT", "PATCH", "DELETE")


def allowed(app: FastAPI, path: str) -> str:
    """The value of an `Allow` header: all methods of the route that a path is first for; "" where there is none."""
    routes = [(each.path, each.methods or set()) for each in iter_route_contexts(app.routes) if each.path]
    own = next((declared for declared, _ in routes if compile_path(declared)[0].match(path)), None)
    taken = {method for declared, methods in routes if declared == own for method in methods}
    told = [method for method in ASKED if method in taken]
    if "GET" in told:
        told.insert(1, "HEAD")
    return ", ".join([*told, "OPTIONS"]) if told else ""
