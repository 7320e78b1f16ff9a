"""Redis and RabbitMQ that speak TLS, each with a certificate that an authority of its own has signed."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from service.brokers import Server, free_port, need, rabbitmq_server, redis_server

# What Python from 3.13 on wants of an authority, and of what it has signed.
AUTHORITY = "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -addext keyUsage=critical,keyCertSign"
SIGNED = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"


@contextmanager
def tls_brokers(broker: str, folder: Path) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Run what a service on this broker needs, two servers; gives their addresses and authorities, by setting."""
    port, other = free_port(), free_port()
    urls = {"JOB_STORE_URL": f"rediss://localhost:{port}/0", "BROKER_URL": f"rediss://localhost:{other}/0"}
    folders = {setting: certified(folder / setting.lower(), "localhost") for setting in urls}
    servers = [_redis(folders["JOB_STORE_URL"], port)]
    if broker == "rabbitmq":
        urls["BROKER_URL"] = f"amqps://guest:guest@localhost:{other}/"
        servers.append(_rabbitmq(folders["BROKER_URL"], other))
    else:
        servers.append(_redis(folders["BROKER_URL"], other))
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.stop)
            server.start()
        yield urls, {setting: (place / "ca.pem").read_text() for setting, place in folders.items()}


def _redis(folder: Path, port: int) -> Server:
    files = ("--tls-cert-file", f"{folder}/server.pem", "--tls-key-file", f"{folder}/server.key")
    return redis_server(folder, *files, "--tls-port", str(port), "--tls-auth-clients", "no")


def _rabbitmq(folder: Path, port: int) -> Server:
    server = rabbitmq_server(folder)
    lines = [f"listeners.ssl.default = {port}", f"ssl_options.cacertfile = {folder}/ca.pem"]
    lines += [f"ssl_options.certfile = {folder}/server.pem", f"ssl_options.keyfile = {folder}/server.key"]
    (folder / "rabbitmq.conf").write_text("\n".join([*lines, ""]))
    server.env["RABBITMQ_CONFIG_FILE"] = f"{folder}/rabbitmq.conf"
    return server


def certified(folder: Path, *names: str) -> Path:
    """Make a folder with an authority, and a certificate that it has signed for a server of these names."""
    folder.mkdir()
    (folder / "extensions").write_text(f"{SIGNED}subjectAltName={','.join(f'DNS:{name}' for name in names)}\n")
    _openssl(folder, f"{AUTHORITY} -subj /CN={folder.name}-authority")
    _openssl(folder, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server")
    signed = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -extfile extensions"
    _openssl(folder, signed)
    return folder


def _openssl(folder: Path, words: str) -> None:
    subprocess.run([need("openssl"), *words.split()], cwd=folder, check=True, capture_output=True)
