"""What a Swin transformer says about real photographs: `python examples/demo.py`.

The photographs lie in scikit-image's wheel; the model is the small one that comes with swinkit, which
knows the ten classes of CIFAR-10 and must choose among them whatever it is shown. No network is needed.
"""

import json
import sys
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from swinkit.cli.main import main as swinkit
from swinkit.viz.overlays import draw_sheet

PHOTOGRAPHS = (
    "chelsea.png",  # a cat
    "rocket.jpg",
    "motorcycle_left.png",
    "astronaut.png",
    "coffee.png",
    "camera.png",
)
OUT = Path("runs/demo")


def main() -> int:
    """Predict, and put all answers on one sheet."""
    package = find_spec("skimage")
    if package is None or package.origin is None:
        print(
            "error: the demo's photographs are in scikit-image; run `pip install scikit-image`",
            file=sys.stderr,
        )
        return 4
    folder, out = Path(package.origin).parent / "data", OUT.resolve()
    with chdir(folder):
        names = [name for name in PHOTOGRAPHS if Path(name).is_file()]
        code = swinkit(["predict", *names, "--save", str(out)])
    if code == 0:
        rows = [json.loads(row) for row in (out / "predictions.jsonl").read_text().splitlines()]
        draw_sheet([Image.open(out / row["overlay"]) for row in rows]).save(out / "sheet.png")
        print(f"all of them in one picture: {out / 'sheet.png'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
