"""A new version replaces the old one under load, as the runbook says."""

from containers.load import steady_load
from containers.stack import Stack


def test_a_rolling_redeploy_loses_no_job_and_fails_no_request(behind_nginx: Stack) -> None:
    stack = behind_nginx
    before = {service: stack.inspect(service)["Image"] for service in {stack.runner, "api"}}
    (stack.project.root / "app/__init__.py").open("a").write("\nVERSION = 2\n")
    with steady_load(stack, "EDGE_PORT") as load:
        for service in dict.fromkeys([stack.runner, "api"]):
            load.more(20)
            stack.compose("up -d --no-deps --build", service)
        load.more(60)
    assert {service: stack.inspect(service)["Image"] for service in before}.items().isdisjoint(before.items())
    if stack.remembers:
        assert set(load.answers) == {200, 202}, load.answers
        stack.all_succeed(load.accepted)
    else:
        assert set(load.answers) <= {200, 202, 404, 503}, load.answers
