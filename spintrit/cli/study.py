"""The command ``spintrit study``."""

import argparse
import contextlib
import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from golden.backend import BACKENDS
from golden.pulse.design import IDEAL
from spintrit.cli.options import add_data, add_json, add_out, aside, path, silent, write_json
from spintrit.outputs import writable
from spintrit.studies.study import STUDIES, Job
from spintrit.studies.studyfile import Study

Parse = Callable[[Sequence[str]], argparse.Namespace]
Call = Callable[[Sequence[str]], int]

OUT, RESULTS = "build/studies", "build/results"


def add(commands: Any, parse: Parse, call: Call) -> None:
    """Add the command; ``parse`` and ``call`` of the top parser take a job's options."""
    study = commands.add_parser(
        "study",
        help="train all runs of a study; write tables and pictures of the results",
        description="Train each row of a study with each seed, then write tables and pictures of\n"
        "the results. Finished runs are not repeated; a stopped run resumes. A TOML file\n"
        "describes your own studies (docs/studies.md).",
        epilog="studies:\n"
        + "\n".join(f"  {name:14} {entry.title}" for name, entry in STUDIES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    study.add_argument(
        "study", type=_named, metavar="STUDY", help="a study of the list below, or a TOML file"
    )
    study.add_argument(
        "--seeds", type=int, nargs="+", metavar="N", help="seeds to train with [the study's]"
    )
    study.add_argument(
        "--only",
        nargs="+",
        metavar="TEXT",
        help="only rows whose name contains one of these texts",
    )
    study.add_argument("--epochs", type=int, metavar="N", help="epochs of all runs [each row's]")
    add_data(study)
    study.add_argument("--dataset", metavar="NAME", help="data set of all runs [the study's]")
    study.add_argument(
        "--backend", choices=BACKENDS, help="library for runs with --array fast [the study's]"
    )
    add_out(study, f"folder of the runs [{OUT}; for FILE.toml {OUT}/FILE]")
    study.add_argument(
        "--results", type=path, metavar="DIR",
        help=f"folder of tables and pictures [{RESULTS}; for FILE.toml {RESULTS}/FILE]",
    )  # fmt: skip
    study.add_argument("--list", action="store_true", help="only print the commands of the runs")
    add_json(study, "the results (with --list: the runs)")
    study.set_defaults(act=functools.partial(_study, parse=parse, call=call))


def _named(text: str) -> str:
    if text in STUDIES or text.endswith(".toml"):
        return text
    known = ", ".join(map(repr, STUDIES))
    message = f"invalid choice: {text!r} (choose from {known}, or a TOML file)"
    raise argparse.ArgumentTypeError(message)


def _wanted(text: str) -> tuple[dict[str, Study], dict[str, Study], Path]:
    """The studies to run, those that the page of results is about, and their folder's name."""
    from spintrit.studies.studyfile import read

    if text in STUDIES:
        return {text: STUDIES[text]}, STUDIES, Path()
    found = read(Path(text))
    return found, found, Path(Path(text).stem)


def _study(arguments: argparse.Namespace, parse: Parse, call: Call) -> int:
    from spintrit.studies import results
    from spintrit.studies import study as studies

    wanted, shown, own = _wanted(arguments.study)
    file = [Path(arguments.study)] if own.name else []
    writable(arguments.json, file)
    todo = [job for study in wanted.values() for job in studies.jobs(study, arguments.seeds)]
    studies.apart(todo)
    for option in ("backend", "epochs", "dataset"):
        value = getattr(arguments, option)
        if value is not None:
            todo = [
                studies.changed(job, f"--{option}", value)
                if option != "backend" or "--array fast" in job.options
                else job
                for job in todo
            ]
    if arguments.only:
        todo = [job for job in todo if any(text in job.row for text in arguments.only)]
        if not todo:
            raise ValueError(f"only {arguments.only!r} name none of study {arguments.study}")
    for job in todo:
        _checked(job, parse)
    if arguments.list:
        write_json(arguments, [vars(job) | {"command": job.command} for job in todo])
        for job in [] if silent(arguments) else todo:
            print(job.command)
        return 0
    out = arguments.out or Path(OUT) / own
    folder = arguments.results or Path(RESULTS) / own
    results.not_of_others(folder)
    extra = ["--data", str(arguments.data)] if arguments.data else []
    found = []
    with aside(arguments):
        for job in todo:
            found += studies.run([job], out, call, extra)
            studies.record(found[-1:], folder, shown)
        results.write(folder, shown)
        print(f"results in {folder / results.PAGE}")
    write_json(arguments, found)
    return 0


def _checked(job: Job, parse: Parse) -> None:
    """Raises ValueError, before anything is trained, if the options of ``job`` or their values are
    not those of ``spintrit train``."""
    from golden.device import junction
    from golden.pulse import tablefile
    from spintrit.cli import train

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            arguments = parse(job.arguments)
            train.asked_for(arguments)
            if arguments.device not in ("", IDEAL):
                junction.load(arguments.device)
            if arguments.table:
                tablefile.load(arguments.table)
    except SystemExit:
        message = said.getvalue().strip().partition("error: ")[2]
    except (TypeError, ValueError, OSError) as error:
        message = str(error)
    else:
        return
    raise ValueError(f"study {job.study}, row {job.row!r}: {message}")
