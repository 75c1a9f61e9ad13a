"""Drives a whole run through the client that openapi-python-client has made of /openapi.json.

    python client.py PAGE TOKEN TARGET

PAGE is the address of a `rhaid web` with users.rhai, TARGET that of the service it loads. Each answer has to have the
described form, and no field that the description does not have.
"""

import sys
import time

from attrs import fields, has
from rhaid_client import AuthenticatedClient
from rhaid_client.api.default import (
    get_form,
    get_history,
    get_log,
    get_metrics,
    get_runs,
    get_runs_id,
    get_runs_id_files_name,
    get_runs_id_report,
    get_scripts,
    get_snapshot,
    get_status,
    post_control,
    post_plan,
    post_start,
    post_stop,
    post_try,
)
from rhaid_client.models import Control, Error, Form, FormWeight, StatusState

page, token, target = sys.argv[1:]
api = AuthenticatedClient(base_url=page, token=token, timeout=30)

# Answers that are what they are: a file of a run, what a script declares, a threshold.
OPEN = {"GetSnapshotResponse200", "GetRunsIdResponse200", "ScriptFormParamsItem", "ScriptFormDefaults", "StatusThresholdsItem"}


def described(value, place):
    """Everything in an answer is in the description."""
    if isinstance(value, list):
        for item in value:
            described(item, place)
    elif has(type(value)):
        name = type(value).__name__
        more = getattr(value, "additional_properties", {})
        assert name in OPEN or not more, f"{place}: {name} has undescribed {sorted(more)}"
        for field in fields(type(value)):
            described(getattr(value, field.name), f"{place}.{field.name}")


def call(operation, **arguments):
    answer = operation.sync(client=api, **arguments)
    name = operation.__name__.rsplit(".", 1)[-1]
    assert answer is not None, f"{name}: an answer that is not described"
    assert not isinstance(answer, Error), f"{name}: {answer.error}"
    described(answer, name)
    return answer


def until(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < end, "waited in vain: " + what
        time.sleep(0.1)
    return value


def state(*wanted):
    status = call(get_status)
    return status if status.state in wanted else None


assert state(StatusState.WAITING).run is None
assert call(get_scripts).scripts == ["users.rhai"]
scenarios = call(get_form, script="users.rhai").scenarios
assert [(one.name, one.weight, one.load) for one in scenarios][1:] == [("buy", 1, None), ("admin", None, "1 user")]

weight = FormWeight()
weight["buy"] = 1
form = Form(script="users.rhai", host=target, users=4, spawn_rate=100, run_time="1h", scenario=["browse", "buy"], weight=weight)
plan = call(post_plan, body=form)
assert "--weight=buy=1" in plan.command and plan.end_s == 3600, plan
assert {one.name: one.users for one in plan.scenarios} == {"browse": 3, "buy": 1}, plan.scenarios
assert call(post_try, body=form).passed

# What is wrong comes back as the described error.
wrong = post_plan.sync_detailed(client=api, body=Form(script="nosuch.rhai"))
assert wrong.status_code == 404 and isinstance(wrong.parsed, Error), wrong
stranger = AuthenticatedClient(base_url=page, token="guess")
assert isinstance(post_stop.sync(client=stranger), Error)
assert isinstance(get_status.sync(client=stranger), Error)

started = call(post_start, body=form)
until("load", lambda: state(StatusState.RUNNING) and call(get_status).requests > 10)
call(post_control, body=Control(users=6))
until("6 users", lambda: call(get_status).users == 6)
call(post_control, body=Control(pause=True))
until("a pause", lambda: state(StatusState.PAUSED))
call(post_control, body=Control(pause=False))
until("load again", lambda: state(StatusState.RUNNING))
log = until("marks", lambda: (found := call(get_log)) and len([line for line in found.lines if line.level == "mark"]) >= 3 and found)
assert not call(get_log, since=log.next_).lines
assert call(get_snapshot).to_dict()["total"]["requests"] > 0
assert "rhaid_virtual_users 6" in call(get_metrics)
call(post_stop)
last = until("the end", lambda: state(StatusState.FINISHED))

history = call(get_history)
count = history.columns.index("requests")
run = call(get_runs_id, id=started.id).to_dict()
requests = run["total"]["requests"]
assert requests == last.requests == sum(row[count] for row in history.rows), (requests, last.requests)
assert not call(get_history, since=history.next_).rows
assert last.verdict.words == run["verdict"]["words"], (last.verdict, run["verdict"])
stored = next(one for one in call(get_runs).runs if one.id == started.id)
assert stored.requests == requests, stored
assert f",Aggregated,{requests}," in call(get_runs_id_files_name, id=started.id, name="stats.csv").payload.read().decode()
assert f"{requests:,} requests in" in call(get_runs_id_report, id=started.id)
print(f"a generated client did a run of {requests} requests")
