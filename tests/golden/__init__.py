"""`python -m tests.golden FOLDER...`: does swinkit compute what the reference implementations computed?

A case is a folder: `case.json`, `weights.safetensors`, `inputs.safetensors`, `outputs.safetensors`. Nothing
about a case is known here but what its folder says, so unseen folders in this layout work too.
"""
