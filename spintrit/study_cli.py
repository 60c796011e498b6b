"""The command ``spintrit study``."""

import argparse
from pathlib import Path
from typing import Any

from golden.backend import BACKENDS
from spintrit.options import add_out, path
from spintrit.studies import STUDIES

OUT, RESULTS = "build/studies", "build/results"


def add(commands: Any) -> None:
    """Add the command to the top parser's."""
    study = commands.add_parser(
        "study",
        help="run a study: many trainings, a table and a picture of their results",
        description="Train every row of a study with every seed, one after the other, and put "
        "what they came to into RESULTS. What is finished is not run again, and what was begun "
        "goes on. Studies: "
        + "; ".join(f"{name}: {entry['title']}" for name, entry in STUDIES.items())
        + ".",
    )
    study.add_argument("study", choices=tuple(STUDIES), metavar="NAME", help=", ".join(STUDIES))
    study.add_argument(
        "--seeds", type=int, nargs="+", metavar="N", help="in the place of the study's own"
    )
    study.add_argument(
        "--only", nargs="+", metavar="TEXT", help="only rows whose name holds one of these texts"
    )
    study.add_argument("--epochs", type=int, metavar="N", help="in the place of the network's own")
    study.add_argument("--data", type=path, metavar="DIR", help="where the data set's files are")
    study.add_argument(
        "--dataset", metavar="NAME", help="images in the place of the study's data set"
    )
    study.add_argument(
        "--backend", choices=BACKENDS, help="what computes whole matrices [the study's own]"
    )
    add_out(study, f"folder of the runs [{OUT}]", default=Path(OUT))
    study.add_argument(
        "--results", type=path, default=Path(RESULTS), metavar="DIR",
        help=f"folder of tables and pictures [{RESULTS}]",
    )  # fmt: skip
    study.add_argument("--list", action="store_true", help="only show the commands")
    study.set_defaults(act=_study)


def _study(arguments: argparse.Namespace) -> int:
    from spintrit import cli, results, studies

    todo = studies.jobs(arguments.study, arguments.seeds)
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
    if arguments.list:
        for job in todo:
            print(job.command)
        return 0
    extra = ["--data", str(arguments.data)] if arguments.data else []
    for job in todo:
        [result] = studies.run([job], arguments.out, cli.call, extra)
        studies.record([result], arguments.results)
    results.write(arguments.results)
    return 0
