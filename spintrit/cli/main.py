"""The command ``spintrit``."""

import argparse
import importlib
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from golden.config import ArrayConfig
from golden.extras import install
from spintrit.cli import device, evaluate, fpga, ip, plot, study, synth, train
from spintrit.cli.options import ARRAY_HELP, add_fields, add_json, add_out, fields, path
from spintrit.cli.parser import Parser
from spintrit.cli.status import guarded
from spintrit.outputs import in_folder, writable
from spintrit.runs.work import Stopped
from spintrit.version import __version__

SHELLS = ("bash", "zsh", "tcsh")


def parser(training: dict[str, Any] | None = None) -> argparse.ArgumentParser:
    """The command line's parser; ``training`` has other defaults of ``spintrit train``."""
    top = Parser(
        prog="spintrit",
        description="Train ternary neural networks in arrays of magnetic tunnel junctions. The RTL "
        "and the golden model agree bit by bit.",
        epilog="spintrit COMMAND --help lists the options of a command.",
    )
    top.add_argument("--version", action="version", version=f"spintrit {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    train.add(commands, training or {})
    _add_generate(commands)
    for module in (ip, fpga, synth, device, plot, evaluate):
        module.add(commands)
    study.add(commands, parse, call)
    bench = commands.add_parser(
        "bench",
        help="measure the speed of golden model, compiled RTL and cocotb",
        description="Measure speed on one CPU thread. Golden training is compared with PyTorch (if "
        "installed), the RTL library with a bare Verilator loop and with cocotb.",
    )
    bench.add_argument(
        "--quick", action="store_true",
        help="shorter measurement, without cifar-vgg and cocotb",
    )  # fmt: skip
    add_json(bench, "all figures")
    bench.set_defaults(act=_bench)
    completion = commands.add_parser(
        "completion",
        help="print a script for shell completion",
        description="Print a script for shell completion of commands and options. Use it as in: "
        "source <(spintrit completion bash).",
    )
    completion.add_argument("shell", choices=SHELLS, help=", ".join(SHELLS), metavar="SHELL")
    completion.set_defaults(act=_complete)
    return top


def _add_generate(commands: Any) -> None:
    generate = commands.add_parser(
        "generate", help="write an array's Verilog", description="Write the Verilog of an array."
    )
    add_out(generate, "Verilog file to write", "FILE", required=True)
    generate.add_argument("--name", metavar="MODULE", help="top module's name [spintrit_array]")
    generate.add_argument(
        "--init", type=path, metavar="FILE",
        help="cell states at power-up, a .mem file of spintrit export [all AP]",
    )  # fmt: skip
    add_fields(generate.add_argument_group("array"), ArrayConfig, ARRAY_HELP)
    generate.set_defaults(act=_generate)


def _generate(arguments: argparse.Namespace) -> int:
    from golden.files import write_atomically
    from synth.generate import TOP_NAME, array_verilog

    config, init = fields(ArrayConfig, arguments), []
    writable(arguments.out, [arguments.init])
    if arguments.init:
        from spintrit.runs.memory import read_mem

        init = read_mem(config, arguments.init)
    text = array_verilog(config, arguments.name or TOP_NAME, init)
    write_atomically(in_folder(arguments.out), text.encode())
    print(f"{arguments.out}: {text.count(chr(10))} lines of Verilog")
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    importlib.import_module("spintrit.bench.rates")  # a missing package is one line here
    # numpy reads thread counts when it is loaded; hence a process of its own.
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    words = ["--quick"] * arguments.quick
    words += [] if arguments.json is None else [f"--json={arguments.json}"]
    return subprocess.run(
        [sys.executable, "-m", "spintrit.bench.rates", *words],
        env=os.environ | threads,
        check=False,
    ).returncode


def _complete(arguments: argparse.Namespace) -> int:
    try:
        import shtab
    except ImportError:
        message = f"shtab writes completions: {install('demo')}"
        raise ModuleNotFoundError(message, name="shtab") from None
    top = parser()
    for command in commands(top).values():
        for action in command._actions:
            if action.type is path:
                folder = action.metavar in ("DIR", "RUN", "RUNFOLDER")
                action.complete = shtab.DIRECTORY if folder else shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(top, arguments.shell))
    return 0


def commands(top: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """The parsers of all commands below a parser, by name: "train", "device list"."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, parser in action.choices.items():
                whole = f"{name} {word}".strip()
                found |= commands(parser, whole) or {whole: parser}
    return found


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a command line, with the defaults that suit its network and data set."""
    return parser(train.training(argv)).parse_args(argv)


def call(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; errors are raised."""
    arguments = parse(argv)
    status: int = arguments.act(arguments)
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status (see ``spintrit.cli.status``)."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: call(argv), lambda stop: _go_on(words, stop))


def _go_on(words: list[str], stop: KeyboardInterrupt) -> str:
    """The command that goes on after Ctrl-C, as the end of a message."""
    command = words[0] if words else ""
    if command not in ("train", "demo", "study"):
        return ""
    begun = isinstance(stop, Stopped) and command != "study"
    if begun:
        words = [command, "--out", str(stop), "--resume"]
    how = "go on" if begun or command == "study" else "start again"
    return f"; {how} with: {shlex.join(['spintrit', *words])}"
