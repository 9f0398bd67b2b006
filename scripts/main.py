"""The `neuroguard` command: all verbs, and the exit code that each outcome ends with.

A verb imports what it needs when it runs: no module named here imports torch, gradio, datasets,
timm or scikit-learn at its top, so that `--help` answers in a fraction of a second.
"""

from __future__ import annotations

import sys

import typer

from scripts import (
    bench,
    bench_api,
    bench_masks,
    bench_train,
    bundle,
    dataset,
    line,
    monitor,
    predict,
    publish,
    recipe,
    runs,
    segment,
    serve,
    sources,
    space,
)

EXIT_CODES = {
    0: "done",
    1: "internal error",
    2: "wrong usage: an unknown option, recipe key or revision",
    3: "input refused: a file or source cannot be used",
    4: "contract broken: a bundle, revision or repository is not what it must be",
    130: "interrupted",
}

app = typer.Typer(
    name="neuroguard",
    help="From public neuro-imaging data to a Hub revision that knows when to say nothing.",
    epilog="Exit codes: " + "; ".join(f"{code} {said}" for code, said in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain text: rich alone takes longer to import than all verbs
    pretty_exceptions_enable=False,
)
app.command("sources")(sources.show)
app.add_typer(dataset.app, name="dataset")
app.command("run")(line.run)
app.add_typer(runs.app, name="runs")
app.add_typer(recipe.app, name="recipe")
app.add_typer(bundle.app, name="bundle")
app.command("publish")(publish.publish)
app.add_typer(space.app, name="space")
app.command("predict")(predict.predict)
app.command("segment")(segment.segment)
app.command("monitor")(monitor.monitor)
app.command("serve")(serve.serve)
app.command("bench")(bench.bench)
app.command("bench-api")(bench_api.bench_api)
app.command("bench-masks")(bench_masks.bench_masks)
app.command("bench-train")(bench_train.bench_train)


def run() -> None:
    """Run the verb named on the command line and exit; a refusal is one line on stderr.

    An error that is none of ours keeps its traceback and ends with 1.
    """
    try:
        app()
    except Exception as error:
        from hub_model.errors import NeuroguardError

        if not isinstance(error, NeuroguardError):
            raise
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    run()
