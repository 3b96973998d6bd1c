#!/usr/bin/env python3
"""Load that must not stop others: while it lasts, /readyz answers as soon as a probe needs it, and memory stays bounded.

    scripts/load.py [BINARY]    default: target/release/entra-assets; it needs the simulators

Everything is sent to this machine only. Each part is bounded in time and number, and prints its figures.
"""

import asyncio
import json
import os
import re
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

# Fewer where the file descriptors do not suffice.
MAX_LISTENERS = 10_000
# An organization may have a quarter of the connections as event streams.
ORGANIZATIONS = 5
SLOW_READERS = 500
FLOOD = 14_000
RATE_LIMIT = 12_000
MAX_MEGABYTES = 800
# What the readiness probe of deploy/kubernetes allows.
MAX_READY_SECONDS = 3.0


def start(command, environment, pattern, log):
    """Starts a process, and waits for the line of its log that says that it is ready."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
    for _ in range(300):
        if found := re.search(pattern, open(log.name).read(), re.MULTILINE):
            return process, found
        if process.poll() is not None:
            break
        time.sleep(0.2)
    sys.exit(f"{command} did not start:\n{open(log.name).read()[-2000:]}")


class Service:
    def __init__(self, process, origin, key):
        self.process, self.origin, self.key = process, origin, key
        host, port = origin.removeprefix("http://").split(":")
        self.address = host, int(port)

    def call(self, path, body=None, key=None):
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.origin}/v1{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    async def open(self, path, *headers):
        """A connection on which a request was sent."""
        reader, writer = await asyncio.open_connection(*self.address)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {self.key}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()
        return reader, writer

    def megabytes(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024

    async def ready(self):
        """How long /readyz takes, on a connection of its own."""
        started = time.monotonic()
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        assert b" 200 " in line, line
        return time.monotonic() - started

    async def check(self, what, seconds):
        """/readyz, again and again while something goes on."""
        slowest, until = 0.0, time.monotonic() + seconds
        while time.monotonic() < until:
            slowest = max(slowest, await self.ready())
            await asyncio.sleep(0.2)
        used = self.megabytes()
        print(f"{what}: /readyz took at most {slowest * 1000:.0f} ms; {used} MB resident", flush=True)
        assert slowest < MAX_READY_SECONDS and used < MAX_MEGABYTES, what


def queued_run(service, tenant, token):
    """A run that nobody executes, because the service has no workers."""
    connection = service.call("/connections", {
        "name": "Load", "tenantId": tenant["tenantId"], "clientId": tenant["clientId"],
        "credential": {"kind": "clientSecret", "secret": tenant["clientSecret"]}})
    odata = service.call("/filters", {"name": "Load", "users": {"odata": "accountEnabled eq true"}})
    destination = service.call("/destinations", {"name": "Load", "kind": "assetsImport", "token": token, "missingObjects": "ignore"})
    job = service.call("/jobs", {
        "name": "Load", "connectionId": connection["id"], "filterId": odata["id"], "destinationId": destination["id"]})
    return service.call(f"/jobs/{job['id']}/runs", {"mode": "full"})["id"]


async def listen(service, watched, listeners):
    """Very many that watch runs in which nothing happens."""
    at_once = asyncio.Semaphore(200)

    async def one(number):
        async with at_once:
            caller, run = watched[number % len(watched)]
            reader, writer = await caller.open(f"/v1/runs/{run}/events", "Accept: text/event-stream")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            assert b" 200 " in head.split(b"\r\n")[0], head
            return writer

    started = time.monotonic()
    writers = await asyncio.gather(*(one(number) for number in range(listeners)))
    print(f"{listeners} listeners were opened in {time.monotonic() - started:.1f} s", flush=True)
    await service.check("idle listeners", 20)
    for writer in writers:
        writer.close()


async def read_slowly(service):
    """Callers that ask for a large answer and take a byte a second."""
    connections = [await service.open("/openapi.json") for _ in range(SLOW_READERS)]

    async def sip(reader):
        while True:
            await reader.read(1)
            await asyncio.sleep(1)

    sips = [asyncio.create_task(sip(reader)) for reader, _ in connections]
    await service.check("slow readers", 10)
    for task, (_, writer) in zip(sips, connections):
        task.cancel()
        writer.close()


async def flood(service):
    """One key asks as fast as it can: it is refused beyond its limit, and another key is not."""
    other = service.call("/api-keys", {"name": "Other", "scopes": ["read"]})["key"]
    statuses = {}

    async def ask(number):
        reader, writer = await asyncio.open_connection(*service.address)
        request = f"GET /v1/capabilities HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.key}\r\n\r\n".encode()
        for _ in range(number):
            writer.write(request)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            status = int(head.split()[1])
            statuses[status] = statuses.get(status, 0) + 1
            if length := re.search(rb"content-length: (\d+)", head):
                await reader.readexactly(int(length[1]))
        writer.close()

    started = time.monotonic()
    asking = asyncio.gather(*(ask(FLOOD // 20) for _ in range(20)))
    await service.check("a flood", 3)
    await asking
    took = time.monotonic() - started
    print(f"{FLOOD} requests of one key in {took:.1f} s: {statuses}", flush=True)
    # The bucket refills while they are sent.
    assert set(statuses) == {200, 429} and statuses[200] <= RATE_LIMIT * (1 + (took + 5) / 60), statuses
    service.call("/capabilities", key=other)


async def load(service, watched, listeners):
    await service.check("nothing", 2)
    await listen(service, watched, listeners)
    await read_slowly(service)
    await flood(service)


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/entra-assets"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # The service keeps half of its descriptors for what the requests of its connections open.
    listeners = min(MAX_LISTENERS, (most - 2000) // 2)
    if listeners < 1000:
        sys.exit("Some thousand file descriptors are needed: ulimit -Hn")
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)  # the embedded database may run as another user
        try:
            ports = ["--login-port", "0", "--graph-port", "0", "--assets-port", "0", "--users", "300"]
            log = open(f"{folder}/simulate.log", "w")
            process, _ = start([binary, "simulate", *ports], {}, "^truth:", log)
            processes.append(process)
            hosts = dict(re.findall(r"(ENTRA_ASSETS_\w+_URL)=(\S+)", open(log.name).read()))
            tenants = json.load(urllib.request.urlopen(hosts["ENTRA_ASSETS_GRAPH_URL"] + "/_sim/tenants"))["tenants"]
            tenant = next(tenant for tenant in tenants if tenant["name"] == "healthy")
            token = json.load(urllib.request.urlopen(hosts["ENTRA_ASSETS_ASSETS_URL"] + "/_sim"))["sources"][0]["token"]
            key = secrets.token_hex(24)
            settings = {**hosts, "ENTRA_ASSETS_DATA_DIR": f"{folder}/data", "ENTRA_ASSETS_ADMIN_KEY": key,
                        "ENTRA_ASSETS_LISTEN": "127.0.0.1:0", "ENTRA_ASSETS_ROLE": "api",
                        "ENTRA_ASSETS_RATE_LIMIT": str(RATE_LIMIT)}
            log = open(f"{folder}/serve.log", "w")
            process, found = start([binary, "serve"], settings, r"answers at (http://[\d.:]+)", log)
            processes.append(process)
            service = Service(process, found[1], key)
            keys = [service.call("/organizations", {"name": f"Load {n}"})["adminKey"] for n in range(ORGANIZATIONS)]
            callers = [Service(process, found[1], key) for key in keys]
            watched = [(caller, queued_run(caller, tenant, token)) for caller in callers]
            asyncio.run(load(service, watched, listeners))
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(60)
    print("load: 4 passed, 0 failed")


main()
