"""All settings of the server process, from the environment (COMMONWEIGHT_SERVER_...) or from the command line."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from contracts.process.settings import Amount, Count, FilePath, Key, Ppm, ProcessSettings, Texts, Url, Urls


class ServerSettings(ProcessSettings):
    """Addresses, files, key, limits. `operator_key` (32 bytes hex) signs heads of the log and pays gas, nothing else.

    With `other_rpc_urls` final blocks are read from two nodes (contracts/evm/nodes.py); with `finality_depth` the final
    block is so many blocks behind the newest. `allow_origins` are the pages whose scripts may read answers (CORS).
    `accept_lost_end` starts on a log whose end no mirror has, though it was signed (docs/restore.md).
    """

    model_config = SettingsConfigDict(env_prefix="COMMONWEIGHT_SERVER_")

    rpc_url: Url
    deployment: FilePath
    operator_key: Key
    database_url: str
    blobs: FilePath
    max_blob_bytes: Count = 256 * 2**20
    keeper: bool = True
    max_fee_per_gas: Count = 500_000_000_000
    replace_seconds: Count = 60
    attempts: Count = 8
    lease_seconds: Count = 10
    proposal_ppm: Ppm = 1_000
    ballot_ppm: Ppm = 10
    account_gas: Amount = 12_000_000
    daily_gas: Amount = 300_000_000
    accept_lost_end: bool = False
    other_rpc_urls: Urls = ()
    finality_depth: Count | None = None
    allow_origins: Texts = ()
