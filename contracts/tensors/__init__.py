"""Tensors as bytes: safetensors files, and the layout of a training state."""
