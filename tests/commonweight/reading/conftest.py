"""One run for all that is read of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.commonweight.reading.town import Town, town
from tests.strange_names import STRANGE


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town") / STRANGE
    (folder / "stage").mkdir(parents=True)
    with town(folder) as made:
        yield made
