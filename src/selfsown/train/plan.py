"""The plan of a training: what is trained on what, fixed before the child process starts.

It lies in `OUT/training/plan.json`. Its identity holds contents (hashes of base, tokenizer and
data, and every value that decides the weights), not paths, so moving files changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.config import difference
from selfsown.core.errors import ConfigChanged, ConfigError, InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import translated_os_errors, write_text
from selfsown.lab.weights import weights_folder
from selfsown.models.architecture import refuse_no_writer
from selfsown.models.fingerprint import model_hash
from selfsown.models.hf import has_chat_template
from selfsown.models.lineage import read_lineage
from selfsown.train.decontamination import (
    Decontamination,
    UsedSuite,
    decontamination_of,
    trainings_in,
)
from selfsown.train.pair_records import read_pairs
from selfsown.train.records import source_digests
from selfsown.train.reference import Reference, make_reference
from selfsown.train.settings import Settings, TrainConfig, resolve

WORK: Final = "training"
PLAN: Final = "plan.json"
RECORD: Final = "training.json"
_VERSION: Final = 1
_TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the child process does."""

    config: TrainConfig
    settings: Settings
    sources: Mapping[str, str]
    """Of each setting, where its value comes from."""
    base: Path
    base_hash: str
    base_depth: int
    tokenizer: Path
    cleaned_of: Decontamination
    """Evaluation suites, of which no record repeats an item."""
    earlier: Sequence[Mapping[str, JSON]]
    """Data and suites of the trainings behind the base, latest first, as their records say."""
    reference: Reference | None
    """What DPO stays close to; None for anything else."""
    identity: Mapping[str, JSON]
    """Equal identities give equal weights at equal numbers of threads and processes."""

    @property
    def out(self) -> Path:
        """Folder of the tuned model."""
        return Path(self.config.out)

    @property
    def work(self) -> Path:
        """Folder of plan, log and checkpoints."""
        return self.out / WORK


def make_plan(config: TrainConfig) -> Plan:
    """Find base and data, hash them, and fill in every value.

    Raises:
        InputError: base or data are not there, or values contradict each other.
        ConfigError: the base writes no text, and the objective needs one that does.
    """
    base = find_base(config.base)
    if config.objective != "reward":
        refuse_no_writer(base, config.base)
    tokenizer = find_tokenizer(config, base)
    lineage = read_lineage(base)
    cleaned_of = decontamination_of(config, tokenizer)
    settings, sources = resolve(config, has_chat_template=has_chat_template(tokenizer))
    if settings.objective != "sft":
        read_pairs(config.data)  # what is no pair is said now, before anything is loaded
    reference = find_reference(config, base)
    identity = identity_of(config, settings, base, tokenizer, cleaned_of, reference)
    return Plan(
        config=config,
        settings=settings,
        sources=sources,
        base=base,
        base_hash=model_hash(base),
        base_depth=lineage.model_depth if lineage else 0,
        tokenizer=tokenizer,
        cleaned_of=cleaned_of,
        earlier=trainings_in(read_training(base)),
        reference=reference,
        identity=identity,
    )


def read_training(folder: Path) -> Mapping[str, JSON]:
    """`training.json` of a model folder; empty where there is none.

    Raises:
        InputError: it is damaged.
    """
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"`{path}` cannot be read: {error}",
            why="it says what the model was trained on",
            fix="train the model again, or restore the file",
        ) from error
    return found if isinstance(found, dict) else {}


def identity_of(
    config: TrainConfig,
    settings: Settings,
    base: Path,
    tokenizer: Path,
    cleaned_of: Decontamination,
    reference: Reference | None,
) -> dict[str, JSON]:
    """What decides the weights, by content, as it lies on disk now."""
    found: dict[str, JSON] = {
        "version": _VERSION,
        "base": model_hash(base),
        "tokenizer": model_hash(tokenizer),
        "data": source_digests(config.data, seeds=config.seeds),
        "suites": cleaned_of.identity(),
        "settings": settings.as_record(),
    }
    return found if reference is None else {**found, "reference": reference.identity}


def find_reference(config: TrainConfig, base: Path) -> Reference | None:
    """The reference policy of a DPO training; None for any other training.

    Raises:
        InputError: it cannot be used; see `make_reference`.
    """
    if config.objective != "dpo":
        return None
    wanted = config.reference
    if wanted == "ema" and config.method == "lora":
        raise ConfigError(
            "reference `ema` moves with all weights, and the method is `lora`",
            why="adapters have no weights of their own that a reference could follow",
            fix="set `method: full`, or reference `initial` or `previous`",
        )
    is_kind = wanted in (None, "initial", "previous", "ema")
    named = None if is_kind else find_base(str(wanted))
    if named is not None:
        refuse_no_writer(named, str(wanted))
    return make_reference(wanted, base, named, read_training(base))


def find_base(name: str) -> Path:
    """The folder of a base model: `lab`, `lab:FOLDER`, `hf:NAME`, a folder, or a cached name.

    Raises:
        ConfigError: there is no such folder, and the cache does not have it.
    """
    scheme, mark, rest = name.partition(":")
    if name in ("lab", "lab:"):
        return weights_folder()
    bare = rest if mark and scheme in ("lab", "hf") else name
    folder = Path(bare).expanduser()
    if (folder / "config.json").is_file():
        return folder
    cached = None if folder.exists() or scheme == "lab" else _cached(bare)
    if cached is None:
        raise ConfigError(
            f"base model `{name}`: no folder with a `config.json`, and not in the cache",
            why="nothing is downloaded unasked",
            fix=f"check the path, or fetch it first: hf download {bare}",
        )
    return cached


def local_folder(model: str) -> Path | None:
    """The folder of a model that runs in this process, by its URI; None for any other model."""
    scheme, _, name = model.partition(":")
    if scheme not in ("hf", "lab") or (scheme == "hf" and not name):
        return None
    try:
        return find_base(model)
    except ConfigError:  # opening the model says what is wrong
        return None


def find_tokenizer(config: TrainConfig, base: Path) -> Path:
    """The folder of the tokenizer: the one that is named, else the base's.

    Raises:
        InputError: it has no tokenizer files.
    """
    folder = Path(config.tokenizer).expanduser() if config.tokenizer else base
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise InputError(
            f"`{folder}` has no tokenizer files",
            why="records become tokens with the tokenizer of the base model",
            fix="add `tokenizer.json` to the folder, or name another with `--tokenizer`",
        )
    return folder


def write_plan(plan: Plan) -> Path:
    """Write `plan.json` for the child process and return its path.

    Raises:
        EnvironmentFailure: the folder cannot be written.
    """
    form = {
        "identity": plan.identity,
        "config": plan.config.model_dump(mode="json"),
        "settings": asdict(plan.settings),
        "sources": plan.sources,
        "base": str(plan.base),
        "base_hash": plan.base_hash,
        "base_depth": plan.base_depth,
        "tokenizer": str(plan.tokenizer),
        "cleaned_of": asdict(plan.cleaned_of),
        "earlier": plan.earlier,
        "reference": _reference_form(plan.reference),
    }
    path = plan.work / PLAN
    with translated_os_errors(path):
        plan.work.mkdir(parents=True, exist_ok=True)
    write_text(path, orjson.dumps(form, option=orjson.OPT_INDENT_2).decode() + "\n")
    return path


def read_plan(path: Path) -> Plan:
    """The plan that `write_plan` wrote."""
    form = orjson.loads(path.read_bytes())
    return Plan(
        config=TrainConfig.model_validate(form["config"]),
        settings=Settings(**form["settings"]),
        sources=form["sources"],
        base=Path(form["base"]),
        base_hash=form["base_hash"],
        base_depth=form["base_depth"],
        tokenizer=Path(form["tokenizer"]),
        cleaned_of=Decontamination(
            form["cleaned_of"]["chosen"],
            tuple(UsedSuite(**one) for one in form["cleaned_of"]["suites"]),
        ),
        earlier=form["earlier"],
        reference=_reference_of(form["reference"]),
        identity=form["identity"],
    )


def _reference_form(reference: Reference | None) -> JSON:
    if reference is None:
        return None
    return {**reference.identity, "folder": str(reference.folder)}


def _reference_of(form: Any) -> Reference | None:
    if form is None:
        return None
    return Reference(form["kind"], Path(form["folder"]), form["model"])


def refuse_change(plan: Plan) -> None:
    """Stop if the folder holds a training of another identity, or something else.

    Raises:
        ConfigChanged: names every difference.
        InputError: the folder holds files, and none of a training.
    """
    known = [path for path in (plan.out / RECORD, plan.work / PLAN) if path.is_file()]
    if not known:
        if plan.out.is_dir() and any(path.name != WORK for path in plan.out.iterdir()):
            raise InputError(
                f"`{plan.out}` is not empty, and nothing in it was trained here",
                why="a training never writes over other files",
                fix="give another folder with `-o`",
            )
        return
    before = orjson.loads(known[0].read_bytes()).get("identity", {})
    lines = difference(before, dict(plan.identity))
    if lines:
        raise ConfigChanged(
            f"`{plan.out}` holds another training: " + "; ".join(lines),
            why="one folder is one training, so that its record stays true",
            fix="give another folder with `-o`, or go back to the old values",
        )


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None
    return found if (found / "config.json").is_file() else None
