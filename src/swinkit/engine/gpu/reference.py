"""The kernels' computation in plain torch, against which they are tested and timed.

Models do not use it: if the kernels cannot run, a model's own attention does (`attach.py`).

Shapes: B batch, *S grid size, W windows of a grid, N tokens in a window, C channels, H heads, D = C / H.
"""

import torch
from torch import Tensor, nn

from ...core.kernels import attend_plainly
from ...core.windows import RolledLayout


def attend_in_torch(
    qkv: Tensor,
    padding: Tensor | None,
    bias: Tensor,
    layout: RolledLayout,
    num_heads: int,
    similarity: nn.Module,
) -> Tensor:
    """Attend within windows: qkv (B, *S, 3 * C), padding (3 * C,), bias (H, N, N) -> (B, *S, C).

    `padding` holds query, key and value of a token of padding; None means zeros.
    """
    if padding is None:
        padding = qkv.new_zeros(qkv.shape[-1])
    tokens = torch.cat([qkv.flatten(1, -2), padding.to(qkv.dtype).expand(len(qkv), 1, -1)], 1)
    windows = tokens[:, layout.places.to(qkv.device)].unflatten(-1, (3, num_heads, -1))
    q, k, v = windows.permute(3, 0, 1, 4, 2, 5)  # each B, W, H, N, D
    q, k, scale = similarity(q, k)
    mask = layout.mask(qkv.device)
    x = attend_plainly(q * scale, k, v, bias if mask is None else bias + mask[:, None], 0.0)
    return layout.merge(x.transpose(2, 3).flatten(3))
