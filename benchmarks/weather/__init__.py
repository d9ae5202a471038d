"""Bad weather between the real processes of a network, from a seed: what a wire does, and what a machine does.

python -m benchmarks.weather [--minutes M] [--seed S]     gusts on every line and process (make bench-weather)
python -m benchmarks.weather.stops [--kills N] ...        SIGKILL and SIGSTOP of nodes (make bench-stops)
python -m benchmarks.weather.churn | hour | chain_events      joining and leaving; an hour's lines; how late events are

`lines/` has the relays and their gusts, `outcome/` what is read from log and lines afterwards.
"""
