"""The phrases of the features."""

from __future__ import annotations

from pkgutil import iter_modules

import pytest

# As in a test's own file: a step that fails says what it saw beside what it wanted.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
