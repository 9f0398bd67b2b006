"""`make demo`: drawn images to a published revision to a running Space, on this machine alone.

Runs the real verbs against a Hub on 127.0.0.1 that speaks the protocol to the real client. With
DEMO_EXIT=1 the Space is asked about one drawn patient, and the demo stops. GRADIO_SERVER_PORT moves
the Space from port 7860.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from hub_model.contract import METRICS, PHANTOM_WARNING, MetricsFile
from hub_model.errors import NeuroguardError
from scripts.serve import require_free

ROOT = Path(__file__).parent.parent
FOLDER = Path("runs/demo")  # everything the demo writes, below ROOT; removed when it starts
HOST = "127.0.0.1"
PORT = 7860
RECIPE = "phantom"
MODEL = "demo/phantom"
SPACE = "demo/phantom-space"
STARTED_WITHIN = 240  # seconds until the Space must answer; 10 on two idle cores, 110 on busy ones
STOPPED_WITHIN = 10  # seconds until a child that was asked to stop is killed
INTERRUPTED = 130  # exit code, as the verbs have it
UNMET_PATIENT = 1000  # index of a drawn head beyond those of the recipe
SUMMARY = {
    "test.coverage": "answered, of all test images",
    "test.accepted_finding_accuracy": "finding right, of those answered",
    "test.tumor_called_none": "called free, of those with a tumor",
    "test.ece_calibrated": "calibration error",
}  # figure: what it says


class DemoError(NeuroguardError):
    """A step of the demo did not end well; what it said itself is above."""


def main() -> int:
    """Run all steps, then wait for Ctrl-C, or ask once where DEMO_EXIT is 1."""
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    port = int(os.environ.get("GRADIO_SERVER_PORT", PORT))
    try:
        require_free(HOST, port)
        shutil.rmtree(ROOT / FOLDER, ignore_errors=True)
        (ROOT / FOLDER).mkdir(parents=True)
        with ExitStack() as running:
            env = environment(running.enter_context(hub(ROOT / FOLDER / "hub")))
            bundle, revision = publish(env)
            running.enter_context(space(env, revision, port))
            print(f"\nready after {time.monotonic() - started:.0f} s", flush=True)
            print(summary(bundle, revision, port), flush=True)
            if os.environ.get("DEMO_EXIT") == "1":
                print(ask(port), flush=True)
                return 0
            print("Ctrl-C stops it", flush=True)
            with suppress(KeyboardInterrupt):
                signal.pause()
            print("\nstopping", flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except NeuroguardError as error:
        print("error:", error, file=sys.stderr)
        return error.exit_code
    return 0


def environment(endpoint: str) -> dict[str, str]:
    """What the verbs and the Space are started with: the Hub of this machine and nobody else's."""
    return {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_TOKEN": "hf_demo",
        "HF_HOME": str(ROOT / FOLDER / "hf"),
        "HF_HUB_DISABLE_XET": "1",  # the loopback Hub stores plain LFS objects
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }


@contextmanager
def hub(root: Path) -> Iterator[str]:
    """The endpoint of a running loopback Hub over the folder `root`."""
    command = [sys.executable, "-m", "tests.loopback_hub", "--root", str(root), "--port", "0"]
    with _child(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise DemoError("the loopback Hub did not start: see above")
        yield str(json.loads(line)["endpoint"])


def publish(env: Mapping[str, str]) -> tuple[Path, str]:
    """Run the line, publish its bundle, stage the Space; the bundle and its 40 hex digits."""
    bundle = ROOT / verb(env, "run", RECIPE, "--out", str(FOLDER / "run"))
    revision = verb(env, "publish", str(bundle), MODEL)
    pinned = f"{MODEL}@{revision}"
    verb(env, "space", "push", SPACE, "--model", pinned, "--out", str(FOLDER / "space"))
    return bundle, revision


def verb(env: Mapping[str, str], *arguments: str) -> str:
    """What one verb prints on stdout; its progress and messages pass through on stderr.

    Raises:
        DemoError: the verb ended with another code than 0.
    """
    print("\n$ neuroguard", *arguments, flush=True)
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - this interpreter with our own module
        [sys.executable, "-m", "scripts.main", *arguments],
        cwd=ROOT,
        env=dict(env),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"`neuroguard {arguments[0]}` ended with {done.returncode}: see above")
    result = done.stdout.strip()
    print(f"{result}  ({time.monotonic() - began:.0f} s)", flush=True)
    return result


@contextmanager
def space(env: Mapping[str, str], revision: str, port: int) -> Iterator[None]:
    """The staged Space, running and answering, as the Hub would run it: `python app.py`.

    Raises:
        DemoError: it ended or did not answer in time.
    """
    print(f"\n$ python app.py  # the Space, pinned to {revision}", flush=True)
    own = {**env, "GRADIO_SERVER_NAME": HOST, "GRADIO_SERVER_PORT": str(port)}
    with _child([sys.executable, "app.py"], cwd=ROOT / FOLDER / "space", env=own) as process:
        deadline = time.monotonic() + STARTED_WITHIN
        while not answers(port):
            if process.poll() is not None:
                raise DemoError(f"the Space ended with {process.returncode}: see above")
            if time.monotonic() > deadline:
                raise DemoError(f"the Space did not answer within {STARTED_WITHIN} s")
            time.sleep(0.2)
        yield


def answers(port: int) -> bool:
    """Whether a page is served on the port."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def summary(bundle: Path, revision: str, port: int) -> str:
    """Address, revision and four figures of the bundle, each with its interval and its n."""
    figures = MetricsFile.model_validate_json((bundle / METRICS).read_bytes()).figures
    lines = [f"Space     http://{HOST}:{port}", f"revision  {MODEL}@{revision}"]
    for name, words in SUMMARY.items():
        found = figures[name]
        interval = "" if found.low is None else f" ({found.low:.3f} to {found.high:.3f})"
        sample = f"{found.sample.n_images} images of {found.sample.n_groups} drawn patients"
        lines.append(f"{words:36}{found.value:.3f}{interval}, {sample}")
    return "\n".join([*lines, PHANTOM_WARNING])


def ask(port: int) -> str:
    """What the Space's endpoint says of a drawn patient that nothing was fitted on."""
    from gradio_client import Client, handle_file

    from training.sources.phantom_files import write_raster
    from training.sources.phantom_heads import make_head

    head = make_head(UNMET_PATIENT, seed=0)
    file = ROOT / FOLDER / "case.png"
    write_raster(head, head.levels[len(head.levels) // 2], file)
    client = Client(f"http://{HOST}:{port}", verbose=False)
    said: dict[str, Any] = client.predict([handle_file(str(file))], api_name="/predict")
    return (
        f"\nasked about a drawn head ({head.label}): {said['verdict']}, label {said['label']}, "
        f"revision {said['revision']}\n{said['notice']}"
    )


@contextmanager
def _child(
    command: list[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own: Ctrl-C reaches the demo alone, which then stops it."""
    process = subprocess.Popen(  # noqa: S603 - this interpreter with our own modules
        command, cwd=cwd, env=env, stdout=stdout, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _interrupt(*_: object) -> NoReturn:
    """SIGTERM ends the demo as Ctrl-C does, so that its children are stopped too."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
