"""``python -m spintrit``."""

from spintrit.cli.main import main

raise SystemExit(main())
