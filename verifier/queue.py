"""The Celery application: JSON only, acknowledged late, one task at a time.

The queue only wakes workers: what is to be done stands in the ledger, and the service asks again after a restart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery

from verifier.settings import VerifierSettings


def make_app(settings: VerifierSettings) -> Celery:
    """An application on the settings' broker, or on a folder where none is named."""
    app = Celery("verifier")
    app.conf.update(
        task_serializer="json", result_serializer="json", accept_content=["json"], task_acks_late=True,
        task_reject_on_worker_lost=False, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True,
        task_track_started=True, result_expires=3600, worker_enable_remote_control=False,
    )  # fmt: skip
    if settings.broker_url:
        app.conf.update(broker_url=settings.broker_url, result_backend=settings.result_backend or "rpc://")
    else:
        app.conf.update(**_folder_broker(settings.folder / "queue"))
    return app


def _folder_broker(folder: Path) -> dict[str, Any]:
    for name in ("messages", "control", "processed", "results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    messages = str(folder / "messages")
    return {
        "broker_url": "filesystem://",
        "broker_transport_options": {
            "data_folder_in": messages, "data_folder_out": messages, "control_folder": str(folder / "control"),
            "processed_folder": str(folder / "processed"), "polling_interval": 0.1,
        },
        "result_backend": (folder / "results").resolve().as_uri(),
    }  # fmt: skip
