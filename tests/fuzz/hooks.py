"""Gives the fuzzer ids of things that exist, and sessions that may end."""

import json
import os
import random
import uuid

import requests
import schemathesis

with open(os.environ["VIVESPHERE_FUZZ"], encoding="utf-8") as file:
    GIVEN = json.load(file)

NOBODY = "01890000-0000-7000-8000-000000000000"
# Calls that end the session they are made in.
LOGOUT = "/api/v1/auth/logout"
ENDING = (LOGOUT, "/api/v1/auth/password")
# A list of ids by parameter: where it comes from, asked again after so many uses.
LISTS = {
    "bot_id": ("/api/v1/bots/list?limit=200", "bot_id"),
    "user_id": ("/api/v1/users?limit=200", "user_id"),
}
USES = 50

chosen = random.Random(GIVEN["seed"])
known: dict[str, tuple[int, list[str]]] = {}


def ask(path: str) -> list[dict]:
    answer = requests.get(
        GIVEN["base_url"] + path,
        headers={"authorization": f"Bearer {GIVEN['token']}"},
        timeout=30,
    )
    # What a list gave may be deleted by the fuzzer before it is asked for.
    if answer.status_code == requests.codes.not_found:
        return []
    answer.raise_for_status()
    return answer.json()["items"]


def fetch(name: str) -> list[str]:
    if name == "post_id":
        bots = fetch_again("bot_id")
        some = chosen.sample(bots, min(5, len(bots)))
        return [
            post["post_id"]
            for bot in some
            for post in ask(f"/api/v1/bots/{bot}/posts?limit=50")
        ]
    path, field = LISTS[name]
    # The fuzzer's own users stay, and so does what they may do.
    return [item[field] for item in ask(path) if item[field] not in GIVEN["kept"]]


def fetch_again(name: str) -> list[str]:
    uses, ids = known.get(name, (0, []))
    if uses <= 0:
        uses, ids = USES, fetch(name)
    known[name] = (uses - 1, ids)
    return ids


def put(fields: dict, name: str) -> None:
    """In place of an id that was made up mostly one of something that exists."""
    try:
        uuid.UUID(fields[name])
    except (TypeError, ValueError, AttributeError):
        return
    if chosen.random() < 0.7 and (ids := fetch_again(name)):
        fields[name] = chosen.choice(ids)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    for name in ("bot_id", "post_id", "user_id"):
        if path_parameters and name in path_parameters:
            put(path_parameters, name)
    return path_parameters


@schemathesis.hook
def map_query(context, query):
    if query and "bot_id" in query and isinstance(query["bot_id"], str):
        put(query, "bot_id")
    return query


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("bot_id"), str):
        put(body, "bot_id")
    return body


@schemathesis.hook
def map_headers(context, headers):
    """Mostly without a key that was used before and a version that is long past."""
    for name in ("Idempotency-Key", "If-Match"):
        if headers and name in headers and chosen.random() < 0.7:
            del headers[name]
    return headers


@schemathesis.hook
def before_call(context, case, kwargs):
    """The fuzzer finds its own users in answers; without them it could do nothing more."""
    given = case.path_parameters or {}
    if case.method != "GET" and str(given.get("user_id")).lower() in GIVEN["kept"]:
        given["user_id"] = NOBODY


@schemathesis.auth(refresh_interval=None)
class Session:
    """The session that a call is made in."""

    def get(self, case, context):
        return GIVEN["token"]

    def set(self, case, data, context):
        sessions = GIVEN["sessions"]
        if case.operation.path in ENDING:
            data = sessions[-1] if sessions else "ended"
            if case.operation.path == LOGOUT and sessions:
                sessions.pop()
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
