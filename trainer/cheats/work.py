"""Every cheat of the work by name: the runner in place of the honest inner loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from trainer.cheats import data, optimizer, precision, skipping, states
from trainer.cheats.stepping import stepping
from trainer.steps.trajectory import InnerRunner

RUNNERS: Mapping[str, InnerRunner] = {
    "skip-all": skipping.skip_all,
    "skip-half": skipping.skip_half,
    "skip-middle": skipping.skip_middle,
    "skip-one-segment": skipping.skip_one_segment,
    "interpolate": skipping.interpolate,
    "own-text": data.fed(data.own_text),
    "easy-data": data.fed(data.easy),
    "repeated-data": data.fed(data.repeated),
    "reordered-data": data.fed(data.reordered),
    "short-context": data.fed(data.short_context),
    "half-batch": data.fed(data.half_batch),
    "one-sample": data.fed(data.one_sample),
    "one-token": data.fed(data.one_token),
    "one-token-at-the-end": data.fed(data.one_token_at_the_end),
    "poisoned-last-step": data.fed(data.poisoned_last_step),
    "learning-rate-half": optimizer.learning_rate("0.5"),
    "learning-rate-99": optimizer.learning_rate("0.99"),
    "learning-rate-999": optimizer.learning_rate("0.999"),
    "frozen-layer": stepping(optimizer.frozen_layer),
    "no-decay": optimizer.configured(lambda config: replace(config, weight_decay="0")),
    "other-beta2": optimizer.configured(lambda config: replace(config, beta2="0.95")),
    "other-eps": optimizer.configured(lambda config: replace(config, eps="0.000001")),
    "no-clipping": optimizer.configured(lambda config: replace(config, clip="1000")),
    "noise": stepping(build=optimizer.noise_model),
    "bf16": stepping(build=precision.autocast(torch.bfloat16)),
    "fp16": stepping(build=precision.autocast(torch.float16)),
    "int8-weights": stepping(build=precision.rounded(precision.to_int8)),
    "fp8-weights": stepping(build=precision.rounded(precision.to_fp8)),
    "made-up-moments": stepping(shown=states.made_up_moments),
    "planted-moments": stepping(shown=states.only_last(states.made_up_moments)),
    "drift": states.drift(),
    "nan-state": stepping(shown=states.only_middle(states.spoilt("theta", float("nan")))),
    "infinite-moment": stepping(shown=states.only_last(states.spoilt("m", float("inf")))),
}
