"""The demo's acts, a module each; an act is a function of the stage."""
