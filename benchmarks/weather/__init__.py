"""Bad weather between the real processes of a network, from a seed: what a wire does, and what a machine does.

python -m benchmarks.weather [--minutes M] [--seed S]     gusts on every line and process (make bench-weather)
python -m benchmarks.weather.stops [--kills N] ...        SIGKILL and SIGSTOP of nodes (make bench-stops)
"""
