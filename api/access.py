"""The ledger and the settings of a route's application."""

from __future__ import annotations

from typing import cast

from fastapi import Request

from api.settings import ServerSettings
from ledger.context import Ledger


def get_ledger(request: Request) -> Ledger:
    """The application's ledger."""
    return cast(Ledger, request.app.state.ledger)


def get_settings(request: Request) -> ServerSettings:
    """The application's settings."""
    return cast(ServerSettings, request.app.state.settings)
