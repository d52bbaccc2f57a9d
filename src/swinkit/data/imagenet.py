"""WordNet ids of the ImageNet classes, and the rows of the 1,000 among the 21,841.

`imagenet_1k.txt` and `imagenet_22k.txt` hold the ids, sorted. The rows of Microsoft's 21,841-class heads are
in this order but for what its class map (`map22kto1k.txt`) says of the 1,000: from each id of `SHIFTS` on,
all lie one row further; and the teddy bear, which is not among the 21,841, has the row of a garment that is
called teddy too.

How certain that is: up to row 9,204 map and order agree. Behind it the map alone speaks, and it may have been
made for another head, for its rows are those of a list of 21,843 ids, two more than the head has rows.
"""

from functools import cache
from importlib.resources import files
from itertools import pairwise

PACKAGE = "swinkit.data"
CLASSES_1K, CLASSES_22K = 1000, 21841
MAPPABLE = (CLASSES_22K, 21842)  # classes of heads that Microsoft's loader cuts to 1,000, by the same rows
SHIFTS = ("n03933933", "n10148035")  # from each of them on, one row more
ELSEWHERE = {"n04399382": 5564}  # a row that no order gives


@cache
def ids(name: str) -> tuple[str, ...]:
    """Return the WordNet ids of `1k` or `22k`, in order."""
    return tuple(files(PACKAGE).joinpath(f"imagenet_{name}.txt").read_text(encoding="ascii").split())


@cache
def rows_of_1k() -> tuple[int, ...]:
    """Return the row of each of the 1,000 classes in a head of one of `MAPPABLE` (Microsoft's class map)."""
    places = {wordnet: place for place, wordnet in enumerate(ids("22k"))}
    return tuple(
        ELSEWHERE.get(wordnet) or places[wordnet] + sum(wordnet >= first for first in SHIFTS)
        for wordnet in ids("1k")
    )


@cache
def ids_of_rows() -> tuple[str | None, ...]:
    """Return the WordNet id of each row of a head of 21,841; None where the class map leaves it open.

    Where two of the 1,000 lie as far apart as in the order, all rows between them are in order too. Open are
    the rows around the shifts, and those behind the last of the 1,000: 796.
    """
    order = ids("22k")
    places = {wordnet: place for place, wordnet in enumerate(order)}
    anchors = [
        (places[wordnet], row)
        for wordnet, row in zip(ids("1k"), rows_of_1k(), strict=True)
        if wordnet in places
    ]
    found: list[str | None] = [None] * CLASSES_22K
    for (place, row), (next_place, next_row) in pairwise([(-1, -1), *anchors]):
        found[next_row] = order[next_place]
        if next_row - row == next_place - place:
            found[row + 1 : next_row] = order[place + 1 : next_place]
    return tuple(found)
