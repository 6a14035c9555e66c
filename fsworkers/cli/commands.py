"""The commands as the command line sees them: their options, and what help says of them.

Nothing else is here, so that ``--help`` and a wrong option cost no more than typer does. Each
command's work is in the module of its name, which is imported when it is run.
"""

from __future__ import annotations

import typer

from fsworkers.cli import filter_options, options, stress_options
from fsworkers.cli.prespawning import prespawn_for, worker_count


def process(  # noqa: PLR0917  (the command line passes them by name)
    context: typer.Context,
    paths: options.Paths = None,
    task: options.TaskName = None,
    call: options.Call = None,
    option: options.TaskOptions = None,
    exec_: options.Exec = None,
    exec_batch: options.ExecBatch = None,
    batch_size: options.BatchSize = None,
    bisect: options.Bisect = False,
    to: options.To = None,
    always: options.Always = False,
    stdin: options.Stdin = False,
    urls: options.Urls = False,
    glob: options.Globs = None,
    exclude: options.Excludes = None,
    extension: filter_options.Extensions = None,
    regex: filter_options.Regexes = None,
    gitignore: filter_options.Gitignore = False,
    ignore_file: filter_options.IgnoreFiles = None,
    skip_hidden: options.SkipHidden = False,
    follow: options.Follow = False,
    max_depth: options.MaxDepth = None,
    min_depth: filter_options.MinDepth = 0,
    one_file_system: filter_options.OneFileSystem = False,
    size: options.Sizes = None,
    changed_within: filter_options.ChangedWithin = None,
    changed_before: filter_options.ChangedBefore = None,
    kind: filter_options.Kinds = None,
    owner: filter_options.OwnerName = None,
    limit: filter_options.Limit = None,
    sample: filter_options.SampleSize = None,
    seed: filter_options.Seed = None,
    files_from: options.FilesFrom = None,
    nul: options.Nul = False,
    engine: options.Engine = None,
    workers: options.Workers = None,
    slots: options.Slots = None,
    max_open_files: options.MaxOpenFiles = None,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    retry_pause: options.RetryPause = None,
    retry_on: options.RetryOn = None,
    nice: options.Nice = 0,
    max_rss: options.MaxRss = None,
    memfree: options.MemFree = None,
    load: options.Load = None,
    max_jobs_per_worker: options.MaxJobs = None,
    halt: options.Halt = None,
    no_install: options.NoInstall = False,
    dry_run: options.DryRun = False,
    output: options.Output = None,
    format_: options.Format = None,
    tag: options.Tag = False,
    line_buffer: options.LineBuffer = False,
    results: options.Results = None,
    keep_order: options.KeepOrder = False,
    summary: options.Summary = None,
    metrics: options.Metrics = None,
    progress: options.Progress = None,
    progress_every: options.ProgressEvery = "10s",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    journal: options.Journal = None,
    no_journal: options.NoJournal = False,
    changed: options.Changed = False,
    profile: options.Profile = None,
    show_config: options.ShowConfig = False,
) -> int:
    """Run a task on every file under each PATH; without --task, compute its sha256."""
    asked = dict(locals())
    for about_options in ("context", "profile", "show_config"):
        del asked[about_options]
    if show_config:
        from fsworkers.cli.config import shown  # noqa: PLC0415  (only here)
        from fsworkers.cli.exits import write_out  # noqa: PLC0415

        write_out(shown(context))
        return 0
    asked["workers"] = count = worker_count(workers)
    if not (dry_run or line_buffer) and engine in {None, "local"}:  # else it has another stdout
        prespawn_for(paths or [], count, has_command=bool(exec_ or exec_batch))
    from fsworkers.cli.process import process as run  # noqa: PLC0415  (as above; likewise below)

    return run(**asked)


def resume(
    run: options.Run = None,
    engine: options.ResumeEngine = None,
    journal: options.Journal = None,
    progress: options.Progress = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Go on with a run that was interrupted or killed, with the options that it was begun with.

    What is done and unchanged since is not done again.
    """
    asked = dict(locals())
    from fsworkers.cli.resume import resume as command  # noqa: PLC0415

    return command(**asked)


def retry(
    run: options.Run = None,
    engine: options.ResumeEngine = None,
    journal: options.Journal = None,
    progress: options.Progress = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Do the files again that failed, were timed out or crashed in a run, and no others."""
    asked = dict(locals())
    from fsworkers.cli.resume import retry as command  # noqa: PLC0415

    return command(**asked)


def runs(journal: options.Journal = None, json: options.Json = False) -> int:
    """List the runs that are recorded, the latest last."""
    asked = dict(locals())
    from fsworkers.cli.runs import runs as command  # noqa: PLC0415

    return command(**asked)


def show(
    run: options.Run = None,
    journal: options.Journal = None,
    failed: options.Failed = False,
    json: options.Json = False,
) -> int:
    """Show what a run came to, and the files that were not done.

    With --json, every file as a line like those of `process`.
    """
    asked = dict(locals())
    from fsworkers.cli.show import show as command  # noqa: PLC0415

    return command(**asked)


def stress(  # noqa: PLR0917  (the command line passes them by name)
    files: stress_options.Files = 4000,
    size: stress_options.Size = "4k",
    workers: stress_options.Workers = None,
    max_open_files: stress_options.MaxOpenFiles = 64,
    concurrency: stress_options.Concurrency = 1000,
    duration: stress_options.Duration = 0.0,
    seed: stress_options.Seed = None,
    scenario: stress_options.Scenarios = None,
    list_: stress_options.List = False,
    json: stress_options.Json = None,
    report: stress_options.Report = None,
    keep: stress_options.Keep = False,
    call: stress_options.Call = None,
    input_: stress_options.Input = None,
) -> int:
    """Run a load that breaks ordinary code, the ordinary way and ours, and judge the outcome."""
    asked = dict(locals())
    from fsworkers.cli.stress import stress as command  # noqa: PLC0415

    return command(**asked)


def tasks(name: options.NamedTask = None) -> int:
    """List the tasks, or tell of one its options, what its value holds, and an example."""
    from fsworkers.cli.tasks import tasks as command  # noqa: PLC0415

    return command(name=name)


def limits() -> None:
    """Show the descriptor limits of this machine and process, and the budget that follows."""
    from fsworkers.cli.limits import limits as command  # noqa: PLC0415

    command()
