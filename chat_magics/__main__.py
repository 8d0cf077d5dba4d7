"""`python -m chat_magics`: the same as the command `chat-magics`."""

import sys

from .cli import main

sys.exit(main())
