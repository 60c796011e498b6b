"""``python -m spintrit``."""

from spintrit.cli import main

raise SystemExit(main())
