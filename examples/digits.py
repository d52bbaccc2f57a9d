"""scikit-learn's handwritten digits as folders of pictures: `python examples/digits.py digits`.

1,797 pictures of 8 x 8 pixels, which lie in its wheel, so that no network is needed: the first half in
`train/`, the second in `val/`, as scikit-learn's own example cuts them. Then

    swinkit train finetune-swin-pico data=digits out=runs/digits augmentation.flip=0 run.precision=bf16
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

WHITE = 16  # the brightest value


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures."""
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("out", type=Path, help="folder to be made")
    out: Path = reader.parse_args(arguments).out
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        print("error: the digits are in scikit-learn: pip install 'swinkit[digits]'", file=sys.stderr)
        return 4
    if out.exists():
        print(f"error: {out} exists; remove it, or choose another folder", file=sys.stderr)
        return 2
    pictures, digits = load_digits(return_X_y=True)
    for i, (picture, digit) in enumerate(zip(pictures, digits, strict=True)):
        folder = out / ("train" if i < len(digits) // 2 else "val") / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        grey = (picture.reshape(8, 8) * (255 / WHITE)).round().astype("uint8")
        Image.fromarray(grey).save(folder / f"{i:04}.png")
    print(f"{len(digits)} pictures in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
