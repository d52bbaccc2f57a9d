"""Find data sets of any layout: folders of classes, lists, tables or shards.

| layout | recognised by |
|---|---|
| list | `SPLIT.csv` or `SPLIT.parquet` in the folder, or such a file with a column `split` |
| tables | a folder SPLIT that Hugging Face's `save_to_disk` wrote, `SPLIT-*.parquet`, `SPLIT/0*.parquet` |
| shards | `SPLIT-*.tar`, `SPLIT.tar` or `SPLIT/*.tar` |
| folders | `SPLIT/CLASS/picture` in a folder or a zip |
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

from ..errors import DataError, UsageError
from . import folders
from .arrays import ArrayDataset, is_array
from .channels import Channels
from .clips import clips_of
from .dataset import ALL, HELD_OUT, TRAIN, ImageDataset
from .folders import find_folders
from .lists import list_of, read_list
from .preprocess import Preprocess
from .shards import read_shards, shards_of
from .tables import STATE, read_tables, saved_split, tables_of

PLANE, RGB = 2, 3  # axes and channels of RGB images


def refuse_place(out: Path, data: Path, *, split: str | None = None) -> None:
    """Refuse an output folder whose content would be taken for pictures of `data`, of which `split` was read.

    Raises:
        UsageError: it is inside of a split, or `data` are without splits, and it is anywhere inside of them.
    """
    path, data = out.resolve(), data.resolve()
    if not path.is_relative_to(data):
        return
    if split == ALL or {TRAIN, *HELD_OUT} & set(path.relative_to(data).parts):
        raise UsageError(f"{out} lies among the pictures of {data}; choose a folder beside them")


class NoSuchSplit(DataError):
    """A list exists, but has no sample of this split."""


def find_samples(
    path: Path,
    *splits: str,
    classes: Sequence[str] | None = None,
    channels: Channels | None = None,
    as_texts: bool = False,
) -> ImageDataset:
    """Find the labelled images of the first of `splits` that exists; `classes` orders the labels.

    They become RGB, unless `channels` are given, which pictures and arrays (.npy) must store. With `as_texts`
    the classes are the different labels as they were written, for `data.values`.

    Raises:
        DataError: none exists, or it is damaged, or has classes that are not in `classes`.
        EnvironmentProblem: what reads the layout is not installed.
    """
    with reachable(path):
        for split in splits:
            found = find_listed(path, split, classes, as_texts)
            if found is not None:
                return as_stored(require_labels(found), channels)
    if saved_split(path):
        raise DataError(
            f"{path}: one data set, saved alone, is not {' or '.join(splits)}; save a DatasetDict with "
            "all splits"
        )
    if list_of(path, splits[0]):
        raise NoSuchSplit(f"{path}: no row has {' or '.join(splits)} in its column `split`")
    is_sample = folders.is_picture if channels is None else is_picture_or_array
    return as_stored(find_folders(path, *splits, classes=classes, is_sample=is_sample), channels)


def find_whole(path: Path, channels: Channels | None = None) -> ImageDataset:
    """Find the labelled images of a folder without a held-out split; `channels` as of `find_samples`.

    Raises:
        UsageError: it has a held-out split, or is a list, tables or shards, which can name their splits.
        DataError: there are no pictures in folders of classes.
    """
    with reachable(path):
        for split in (TRAIN, *HELD_OUT):
            if list_of(path, split) or tables_of(path, split) or shards_of(path, split):
                raise UsageError(
                    f"{path}: data.hold_out is for folders CLASS/picture.jpg; name the split of each picture "
                    "of a list in a column `split`"
                )
    is_sample = folders.is_picture if channels is None else is_picture_or_array
    return as_stored(folders.find_unsplit(path, is_sample), channels)


def is_picture_or_array(name: str) -> bool:
    """Return whether a file has the suffix of a picture or of an array."""
    return folders.is_picture(name) or is_array(name)


def as_stored(samples: ImageDataset, channels: Channels | None) -> ImageDataset:
    """Return the same samples, read with the channels that their files store; None: as RGB.

    Raises:
        DataError: some are arrays and others pictures.
    """
    if channels is None:
        return samples
    arrays = sum(map(is_array, samples.ids))
    if not arrays:
        return replace(samples, stored=channels)
    if arrays < len(samples):
        raise DataError(
            f"{samples.root}: {arrays} of the {len(samples)} samples of {samples.split} are arrays (.npy), "
            "the others pictures; save all in one way"
        )
    known = {field.name: getattr(samples, field.name) for field in fields(ImageDataset)}
    return ArrayDataset(**known, axes=PLANE, channels=channels)


@contextmanager
def reachable(path: Path) -> Iterator[None]:
    """Check that no folder or file is closed to this user; name all that are in one error.

    Raises:
        DataError: one is.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read: {error.strerror or error}") from None


def find_listed(
    path: Path, split: str, classes: Sequence[str] | None, as_texts: bool = False
) -> ImageDataset | None:
    """Find the images of a split in a list, tables or shards; None if there are none of these."""
    listing = list_of(path, split)
    if listing is not None:
        return read_list(listing, split, classes, as_texts)
    tables = tables_of(path, split)
    if tables:
        return read_tables(path, tables, split, classes, as_texts)
    shards = shards_of(path, split)
    return read_shards(path, shards, split, classes, as_texts) if shards else None


def require_labels(samples: ImageDataset) -> ImageDataset:
    """Return the same samples if they have labels.

    Raises:
        DataError: they have none.
    """
    if samples.labels is None:
        raise DataError(
            f"{samples.root}: the tables of {samples.split} have no column of labels; make one a ClassLabel, "
            "or call it `label`"
        )
    return samples


def layout_of(path: Path, split: str) -> tuple[str, str] | None:
    """Return the layout of a split and the file that it is recognised by; None without such a split.

    Raises:
        DataError: `path` is neither a folder, nor a zip, nor a list.
    """
    with reachable(path):
        listing, tables, shards = list_of(path, split), tables_of(path, split), shards_of(path, split)
    if listing is not None:
        return "list", listing.name
    if tables:
        evidence = tables[0] / STATE if tables[0].is_dir() else tables[0]
        return "tables", str(evidence.relative_to(path))
    if shards:
        return "shards", f"{shards[0].relative_to(path)}" + (f" to {shards[-1].name}" if shards[1:] else "")
    inside = [name for name in folders.list_names(path) if split in name.split("/")[:-2]]
    pictures = [name for name in inside if folders.is_picture(name)]
    return ("folders", min(pictures)) if pictures else None


def find_inputs(path: Path, preprocess: Preprocess, *splits: str) -> ImageDataset:
    """Find unlabelled inputs for a model with this preprocessing: images, clips or arrays.

    Images become RGB for a model of three channels; for another their own channels are read.

    Raises:
        DataError: there is none.
    """
    axes, wanted = preprocess.axes, Channels(preprocess.mean, preprocess.std)
    stored = None if wanted.count == RGB else wanted
    if axes == PLANE and stored is None:
        return find_pictures(path, *splits)
    split, arrays = folders.files_of_split(splits, sorted(filter(is_array, folders.list_names(path))))
    if arrays:
        content = folders.content_of(path, arrays)
        return ArrayDataset(path, split, content, axes=axes, channels=wanted)
    if axes == PLANE:
        try:
            return replace(find_pictures(path, *splits), stored=stored)
        except folders.NoPictures as error:
            raise DataError(f"{error}, nor arrays (.npy)") from None
    split, frames = folders.files_of_split(
        splits, sorted(filter(folders.is_picture, folders.list_names(path)))
    )
    if not frames:
        raise DataError(f"{path}: neither folders of frames nor arrays (.npy)")
    return clips_of(path, split, frames, stored)


def find_pictures(path: Path, *splits: str) -> ImageDataset:
    """Find unlabelled images of the first of `splits` that exists, else all in the folder or zip.

    Raises:
        DataError: there are none.
    """
    with reachable(path):
        for split in splits:
            found = find_listed(path, split, None)
            if found is not None:
                return found
    alone = saved_split(path)
    if alone:
        return read_tables(path, [path], alone, None)
    return folders.find_pictures(path, *splits)
