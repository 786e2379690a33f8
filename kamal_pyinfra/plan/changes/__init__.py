"""Every kind of change that a plan can hold: one small class each, all with a cause."""
