"""Trials of a model of one's own, before its first step: does it compute what a run has to repeat?"""
