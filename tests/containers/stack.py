"""A generated project in containers: its composition, called and watched from outside."""

import json
import os
import re
import shutil
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containers.engine import docker, provide_images
from service.brokers import free_port
from service.caller import Caller
from service.project import Project, clean_env
from service.variants import Variant

PROBE = Path(__file__).parent / "probe"
ROUTES = Path(__file__).parents[1] / "faults/probe/routes.py"
PORTS = ("API_PORT", "EDGE_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT", "FLOWER_PORT", "REDIS_PORT", "RABBITMQ_PORT")
PRODUCTION = ("compose.yaml",)


@dataclass
class Stack(Caller):
    """The composition of one project."""

    variant: Variant
    project: Project
    files: Sequence[str] = PRODUCTION
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = {name: str(free_port()) for name in PORTS} | self.settings
        self.port = int(self.settings["API_PORT"])

    @property
    def name(self) -> str:
        """The name of the composition, which is that of its project."""
        found = re.search(r"^name: (\S+)$", (self.project.root / "compose.yaml").read_text(), re.MULTILINE)
        assert found
        return found[1]

    @property
    def env(self) -> dict[str, str]:
        return clean_env() | {"COMPOSE_ANSI": "never", "BUILDKIT_PROGRESS": "plain"} | self.settings

    @property
    def runner(self) -> str:
        """The service that runs jobs."""
        return "api" if self.variant.broker == "memory" else "worker"

    @property
    def remembers(self) -> bool:
        """Whether the jobs outlive the processes."""
        return self.variant.broker != "memory"

    @property
    def services(self) -> list[str]:
        """The services that run without a profile."""
        return self.compose("config --services").split()

    @property
    def servers(self) -> list[str]:
        """The services that hold messages and records."""
        return {"redis": ["redis"], "rabbitmq": ["redis", "rabbitmq"]}.get(self.variant.broker, [])

    @property
    def places(self) -> int:
        """How many jobs one worker runs at once."""
        numbers = tomllib.loads((self.project.root / "settings.toml").read_text())
        if "concurrency" in numbers:
            return int(numbers["concurrency"])
        return int(numbers["worker_processes"]) * int(numbers.get("worker_threads", 1))

    def shell(self, line: str) -> str:
        """Type a line in the project's directory, and return what it printed."""
        return self._run("bash", "-ec", line)

    def compose(self, *words: str, profiles: Sequence[str] = ()) -> str:
        """Run Compose with the project's files; each text may hold several words."""
        options = [f"--file={name}" for name in self.files] + [f"--profile={name}" for name in profiles]
        return self._run("docker", "compose", *options, *" ".join(words).split())

    def _run(self, *command: str) -> str:
        result = subprocess.run(
            command, cwd=self.project.root, env=self.env, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise AssertionError(f"{command}\n{result.stdout[-2000:]}\n{result.stderr[-6000:]}\n{self.evidence()}")
        return result.stdout.strip()

    def up(self, *words: str, profiles: Sequence[str] = ()) -> None:
        """Start what does not run, and return once all of it is healthy."""
        self.compose("up -d --wait --wait-timeout 180", *words, profiles=profiles)

    def remove(self) -> None:
        """Remove the containers, the volumes and the images that were built."""
        self.compose("down --volumes --timeout 5 --remove-orphans", profiles=["*"])
        images = docker("image", "ls", "-q", "--filter", f"label=com.docker.compose.project={self.name}").split()
        if images:
            docker("image", "rm", "--force", *sorted(set(images)))

    def container(self, service: str) -> str:
        """Return the id of the only container of a service."""
        (found,) = self.containers(service)
        return found

    def containers(self, service: str = "") -> list[str]:
        """Return the ids of the containers of a service, or of all."""
        return self.compose("ps --all --quiet", service, profiles=["*"]).split()

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine knows about the only container of a service."""
        shown: dict[str, Any] = json.loads(docker("inspect", self.container(service)))[0]
        return shown

    def health(self, service: str) -> str:
        """Return `starting`, `healthy` or `unhealthy`."""
        return str(self.inspect(service)["State"]["Health"]["Status"])

    def evidence(self) -> str:
        """Return what runs, and the ends of the logs."""
        command = ["docker", "compose", "-f", "compose.yaml", "--profile", "*"]
        said = []
        for words in (["ps", "--all"], ["logs", "--tail", "30", "--no-color"]):
            result = subprocess.run(
                [*command, *words], cwd=self.project.root, env=self.env, capture_output=True, text=True, check=False
            )
            said.append(result.stdout[-6000:])
        return "\n".join(said)

    def ask(self, port: str, path: str, **headers: str) -> Any:
        """Return the JSON that a service behind one of the ports answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.settings[port]}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - a port of this machine
            return json.loads(answer.read())

    def workers(self) -> list[str]:
        """Return the workers that Flower sees."""
        return [worker["hostname"] for worker in self.ask("FLOWER_PORT", "/workers?json=1")["data"] if worker["status"]]

    def place(self, probe: str, *args: Any) -> str:
        """Enqueue a probe, and return the id of its job."""
        answer = self.call("POST", f"/probe/{probe}", list(args))
        assert answer.status == 202, answer
        return str(answer.json["id"])

    def jobs(self, state: str) -> set[str]:
        """Return the ids of the jobs in a state."""
        return {job["id"] for job in self.call("GET", f"/jobs?state={state}&limit=500").json}

    def all_succeed(self, ids: Sequence[str], seconds: float = 90) -> list[dict[str, Any]]:
        """Wait until these jobs are final, and return them; none may have been lost or given up."""
        deadline = time.monotonic() + seconds
        jobs = [self.wait(one, seconds=max(deadline - time.monotonic(), 1)) for one in ids]
        assert {job["state"] for job in jobs} <= {"succeeded"}, jobs
        return jobs


def add_probes(project: Project) -> Project:
    """Put the probes among the tasks and routes of a project that has not been built yet."""
    shutil.copy(PROBE / "tasks.py", project.root / "app/tasks/probe.py")
    shutil.copy(ROUTES, project.root / "app/api/probe.py")
    return project


def start_as_the_readme_says(stack: Stack) -> None:
    """Type the lines of the README under *Run it in Docker*, each word of them."""
    provide_images(stack.project.root)
    section = (stack.project.root / "README.md").read_text().split("## Run it in Docker\n")[1].split("\n## ")[0]
    lines = re.findall(r"^    (.+)$", section, re.MULTILINE)
    assert any("docker compose" in line for line in lines)
    for line in lines:
        stack.shell(line)


def project_name(variant: Variant) -> str:
    """Return a name of which no other run on this engine makes use."""
    return f"{variant}-{os.getpid()}"
