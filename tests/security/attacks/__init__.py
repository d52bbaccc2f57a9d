"""One idea of an attack in each file, and that it is refused (SECURITY.md lists them)."""
