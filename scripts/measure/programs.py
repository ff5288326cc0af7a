"""The two programs, each in a process of its own, watched from outside alike."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
POLL_S = 0.05
INPUT_FLAGS = {
    "image": "--image-path",
    "last_image": "--last-image-path",
    "video": "--video-path",
    "mask": "--mask-path",
    "reference_images": "--reference-images",
}


def reel_command(serve, settings, out):
    command = [serve, "generate", "--model-path", settings["model"], "--prompt", settings["prompt"]]
    command += ["--negative-prompt", settings["negative_prompt"], "--seed", settings["seed"]]
    command += ["--width", settings["width"], "--height", settings["height"], "--num-frames", settings["num_frames"]]
    command += ["--num-inference-steps", settings["steps"], "--guidance-scale", settings["guidance"]]
    command += ["--flow-shift", settings["flow_shift"]]
    if settings["boundary_ratio"]:
        command += ["--boundary-ratio", settings["boundary_ratio"], "--guidance-scale-2", settings["guidance"]]
    for name, path in settings["inputs"].items():
        command += [INPUT_FLAGS[name], path]
    if settings["task"] == "v2v":
        command += ["--strength", settings["strength"]]
    command += ["--dit-precision", settings["transformer_precision"], "--vae-precision", settings["vae_precision"]]
    command += ["--text-encoder-precisions", settings["text_encoder_precision"]]
    command += ["--device", settings["device"], "--threads", settings["threads"], "--output-path", out]
    warm_up = settings["warm_up"]
    command += ["--warmup-mode", "server", "--warmup-resolutions", f"{warm_up['width']}x{warm_up['height']}"]
    command += ["--warmup-steps", warm_up["num_inference_steps"], "--dump", out]
    command += ["--perf-dump-path", out / "perf.json"]
    return [str(word) for word in command]


def reel_perf(out):
    perf = json.loads((out / "perf.json").read_text())
    return {"stages_s": perf["stages_s"], "total_s": perf["total_s"], "load_s": perf["ready_s"]}


def diffusers_perf(out):
    return json.loads((out / "perf.json").read_text())


def diffusers_command(settings, out):
    (out / "settings.json").write_text(json.dumps(settings))
    return [sys.executable, "-B", str(HERE / "diffusers_run.py"), str(out / "settings.json"), str(out)]


class Memory:
    """Peaks of a process in MiB: all that is resident, and of it what is no file's page (sampled)."""

    def __init__(self, process):
        self.status = Path(f"/proc/{process.pid}/status")
        self.resident = self.anonymous = 0.0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.done.wait(POLL_S):
            try:
                lines = dict(line.split(":", 1) for line in self.status.read_text().splitlines())
            except (FileNotFoundError, ProcessLookupError):
                return
            if "VmHWM" in lines:
                self.resident = max(self.resident, int(lines["VmHWM"].split()[0]) / 1024)
                self.anonymous = max(self.anonymous, int(lines["RssAnon"].split()[0]) / 1024)

    def stop(self):
        self.done.set()
        self.thread.join()


def busy_seconds():
    """CPU seconds that all processes of the machine have used."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def run(command, perf, settings, out):
    """Times, peaks, and how many cores others used meanwhile. `perf` reads the program's own figures from `out`."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment["OMP_NUM_THREADS"] = str(settings["threads"])
    log = out / "log.txt"
    busy, began = busy_seconds(), time.monotonic()
    with open(log, "wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=environment)
        memory = Memory(process)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.send_signal(signal.SIGKILL)
            raise
        finally:
            memory.stop()
    wall = time.monotonic() - began
    cpu = usage.ru_utime + usage.ru_stime
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SystemExit(f"{' '.join(command)}: status {os.waitstatus_to_exitcode(status)}\n{tail}")
    return {
        **perf(out),
        "wall_s": wall,
        "cpu_s": cpu,
        "others_cores": max(0.0, busy_seconds() - busy - cpu) / wall,
        "peak_resident_mb": max(memory.resident, usage.ru_maxrss / 1024),
        "peak_anonymous_mb": memory.anonymous,
    }
