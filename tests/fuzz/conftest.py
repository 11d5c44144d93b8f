"""The modules of this folder are scripts beside each other; tests find them by name too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
