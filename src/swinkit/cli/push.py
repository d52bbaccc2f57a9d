"""`swinkit push MODEL ORG/NAME`: publish a model on the Hugging Face hub."""

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..type_check import expand_home
from ..zoo.checkpoints import require_known_name
from .arguments import MODEL, Parser, Value, add_model_options, model_options, parse
from .console import block, note

if TYPE_CHECKING:
    from ..tasks.publication import Publication


def command(arguments: Sequence[str]) -> int:
    """Publish a model, unless it is a dry run, and print its address and files."""
    options = read_options(arguments)
    require_known_name(options.model)
    from .. import api
    from ..zoo.hub import require_writable

    require_writable(options.name)  # a dry run finds out too, and nobody waits for the model first
    planned = api.plan_publication(
        api.load(options.model, **model_options(options)),
        options.name,
        licence=options.licence,
        dataset=options.dataset,
        card=card_of(options.model),
        scores={name: getattr(options, name) for name in claimed_scores()},
        source=options.model,
    )
    address = None
    if not options.dry_run:
        where = {"private": options.private, "revision": options.revision}
        address = api.upload_publication(planned, options.name, **where)
    for text in planned.notes:
        note(text)
    facts = as_json(planned, options, address)
    block(json.dumps(facts) if options.json else report(facts))
    return 0


def read_options(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments."""
    parser = Parser("push", "Publish a model on the Hugging Face hub.")
    add = parser.add_argument
    add("model", help=MODEL)
    add("name", help="the repository, as organisation/name; made if there is none")
    add_model_options(add)
    add("--private", action="store_true", help="only you, or your organisation, can see it")
    add("--revision", type=Value(str), metavar="BRANCH", help="the branch to write, instead of main")
    add("--licence", type=Value(str), metavar="NAME", help="the hub's short name of the licence, such as mit")
    scores = claimed_scores()
    measured = " or ".join(f"--{name.replace('_', '-')}" for name in scores)
    add("--dataset", type=Value(str), metavar="NAME", help=f"what {measured} was measured on")
    for name, words in scores.items():
        add(f"--{name.replace('_', '-')}", type=Value(float), metavar="SHARE", help=words, dest=name)
    add("-n", "--dry-run", action="store_true", help="say what would be written, and write nothing")
    add("--json", action="store_true", help="print one JSON object instead")
    return parse(parser, arguments)


def claimed_scores() -> dict[str, str]:
    """Return the scores that a publisher may report, of any task, with words for the help."""
    from ..tasks.registry import task_types

    return {name: words for each in task_types() for name, words in each.claimed_scores.items()}


def card_of(source: str) -> str | None:
    """Return the model card in a saved folder, which its owner may have edited; None if there is none."""
    from ..files.folder import CARD, read_text

    path = expand_home(source) / CARD
    return read_text(path) if path.is_file() else None


def as_json(planned: "Publication", options: Namespace, address: str | None) -> dict[str, Any]:
    """Return the files pushed, or to be pushed; `address` is that of the commit, null in a dry run."""
    from ..files.folder import FILES

    return {
        "name": options.name,
        "address": address,
        "private": options.private,
        "revision": options.revision,
        "readers": list(planned.readers),
        "files": list(FILES),
        "parameters": sum(tensor.numel() for tensor in planned.saved.state.values()),
        "notes": list(planned.notes),
    }


def report(facts: dict[str, Any]) -> str:
    """Return the same as lines of text."""
    files, readers = (", ".join(map(str, facts[key])) for key in ("files", "readers"))
    did = "dry run, nothing was written" if facts["address"] is None else facts["address"]
    return f"{facts['name']}: {files}\nread by {readers}\n{did}"
