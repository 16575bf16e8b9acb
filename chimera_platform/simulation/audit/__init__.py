"""Whether a backtest can be believed: lookahead, robustness to cost and latency, parameters on a plateau or a peak.

Everything is asked through :class:`~chimera_platform.simulation.audit.decision_maker.DecisionMaker`, so that a
cheating decision path can be put in the honest one's place: a check that finds no cheat proves nothing.
"""
