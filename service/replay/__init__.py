"""Replays a population's history through the rules: how often would they have spoken, on whom, and was it right?"""
