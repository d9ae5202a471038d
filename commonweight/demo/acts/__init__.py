"""The acts of the demo, one module an act. An act is a function of the stage."""
